DROP TRIGGER session_without_client;
DROP TRIGGER token_without_session;

CREATE TABLE session_with_reference (
    id         BLOB NOT NULL PRIMARY KEY,
    user_id    BLOB NOT NULL,
    client_id  BLOB NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    amr        TEXT NOT NULL,
    address    TEXT,
    started_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    limit_at   BIGINT NOT NULL,
    refresh_id BLOB,
    revoked_at BIGINT,
    fresh_at   BIGINT,
    device     TEXT,
    factor_id  BLOB,
    segment    BIGINT NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO session_with_reference (id, user_id, client_id, amr, address, started_at, used_at, ends_at, limit_at, refresh_id, revoked_at, fresh_at, device, factor_id, segment)
    SELECT id, user_id, client_id, amr, address, started_at, used_at, ends_at, limit_at, refresh_id, revoked_at, fresh_at, device, factor_id, segment
    FROM session WHERE client_id IN (SELECT id FROM client) ORDER BY id;

CREATE TABLE token_with_reference (
    id         BLOB NOT NULL PRIMARY KEY,
    session_id BLOB REFERENCES session_with_reference (id) ON DELETE CASCADE,
    client_id  BLOB NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('access', 'refresh')),
    hash       BLOB,
    audience   TEXT NOT NULL,
    scope      TEXT NOT NULL,
    details    TEXT,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    one_use    BOOLEAN NOT NULL,
    used_at    BIGINT,
    replaced_by BLOB,
    revoked_at BIGINT
) WITHOUT ROWID;
INSERT INTO token_with_reference (id, session_id, client_id, kind, hash, audience, scope, details, issued_at, expires_at, one_use, used_at, replaced_by, revoked_at)
    SELECT id, session_id, client_id, kind, hash, audience, scope, details, issued_at, expires_at, one_use, used_at, replaced_by, revoked_at
    FROM token WHERE session_id IS NULL OR session_id IN (SELECT id FROM session_with_reference) ORDER BY id;

DROP TABLE token;
DROP TABLE session;
ALTER TABLE session_with_reference RENAME TO session;
ALTER TABLE token_with_reference RENAME TO token;

CREATE INDEX session_by_segment ON session (segment, user_id);
CREATE INDEX session_by_client ON session (client_id);
CREATE INDEX session_by_end ON session (ends_at);
CREATE UNIQUE INDEX token_by_hash ON token (hash) WHERE hash IS NOT NULL;
CREATE INDEX token_by_session ON token (session_id);
CREATE INDEX token_by_client ON token (client_id) WHERE session_id IS NULL;
CREATE INDEX token_by_expiry ON token (expires_at) WHERE session_id IS NULL;

-- What every login writes, in fewer places. Both tables are kept in the order of their ids, which is that of time, instead of twice. An index
-- holds only the rows that it is asked for: opaque tokens by hash, and tokens without a session, which end by themselves, by client and by end.
-- All other tokens go with their session, at the latest. A client's own tokens are removed with it by `db/client.rs`: a reference would
-- read the whole table for it.
CREATE TABLE session_in_order (
    id         BLOB NOT NULL PRIMARY KEY,
    user_id    BLOB NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
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
    factor_id  BLOB
) WITHOUT ROWID;
INSERT INTO session_in_order
    SELECT id, user_id, client_id, amr, address, started_at, used_at, ends_at, limit_at, refresh_id, revoked_at, fresh_at, device, factor_id
    FROM session ORDER BY id;

CREATE TABLE token_in_order (
    id         BLOB NOT NULL PRIMARY KEY,
    session_id BLOB REFERENCES session_in_order (id) ON DELETE CASCADE,
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
INSERT INTO token_in_order
    SELECT id, session_id, client_id, kind, hash, audience, scope, details, issued_at, expires_at, one_use, used_at, replaced_by, revoked_at
    FROM token ORDER BY id;

DROP TABLE token;
DROP TABLE session;
ALTER TABLE session_in_order RENAME TO session;
ALTER TABLE token_in_order RENAME TO token;

CREATE INDEX session_by_user ON session (user_id, id);
CREATE INDEX session_by_client ON session (client_id);
CREATE INDEX session_by_end ON session (ends_at);
CREATE UNIQUE INDEX token_by_hash ON token (hash) WHERE hash IS NOT NULL;
CREATE INDEX token_by_session ON token (session_id);
CREATE INDEX token_by_client ON token (client_id) WHERE session_id IS NULL;
CREATE INDEX token_by_expiry ON token (expires_at) WHERE session_id IS NULL;

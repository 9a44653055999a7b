-- What every login writes refers to nothing. For each row that is written, a reference has the row that it names looked for. Whoever writes them holds the
-- application and the session already (`app/client_auth`, `db::session::hold`). What goes with what is said by triggers, which cost nothing
-- until something is deleted.
CREATE TABLE session_without_reference (
    id         BLOB NOT NULL PRIMARY KEY,
    user_id    BLOB NOT NULL,
    client_id  BLOB NOT NULL,
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
INSERT INTO session_without_reference (id, user_id, client_id, amr, address, started_at, used_at, ends_at, limit_at, refresh_id, revoked_at, fresh_at, device, factor_id, segment)
    SELECT id, user_id, client_id, amr, address, started_at, used_at, ends_at, limit_at, refresh_id, revoked_at, fresh_at, device, factor_id, segment
    FROM session ORDER BY id;

CREATE TABLE token_without_reference (
    id         BLOB NOT NULL PRIMARY KEY,
    session_id BLOB,
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
INSERT INTO token_without_reference (id, session_id, client_id, kind, hash, audience, scope, details, issued_at, expires_at, one_use, used_at, replaced_by, revoked_at)
    SELECT id, session_id, client_id, kind, hash, audience, scope, details, issued_at, expires_at, one_use, used_at, replaced_by, revoked_at
    FROM token ORDER BY id;

DROP TABLE token;
DROP TABLE session;
ALTER TABLE session_without_reference RENAME TO session;
ALTER TABLE token_without_reference RENAME TO token;

CREATE INDEX session_by_segment ON session (segment, user_id);
CREATE INDEX session_by_client ON session (client_id);
CREATE INDEX session_by_end ON session (ends_at);
CREATE UNIQUE INDEX token_by_hash ON token (hash) WHERE hash IS NOT NULL;
CREATE INDEX token_by_session ON token (session_id);
CREATE INDEX token_by_client ON token (client_id) WHERE session_id IS NULL;
CREATE INDEX token_by_expiry ON token (expires_at) WHERE session_id IS NULL;

CREATE TRIGGER token_without_session AFTER DELETE ON session BEGIN
    DELETE FROM token WHERE session_id = OLD.id;
END;
CREATE TRIGGER session_without_client AFTER DELETE ON client BEGIN
    DELETE FROM session WHERE client_id = OLD.id;
END;

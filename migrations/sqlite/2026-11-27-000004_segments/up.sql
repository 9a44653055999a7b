-- What a user did is found segment by segment (`db/segment.rs`): an index by user alone is written somewhere else for every login, and that was most
-- of what a group of codes wrote. `segment`: the number of the audit log's last entry before the login, divided by 1,024. What was there
-- before is segment 0. No reference to "user": each user that is deleted would be looked for in the whole table (`db/user.rs` removes its sessions).
CREATE TABLE session_by_segment (
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
INSERT INTO session_by_segment
    SELECT id, user_id, client_id, amr, address, started_at, used_at, ends_at, limit_at, refresh_id, revoked_at, fresh_at, device, factor_id, 0
    FROM session ORDER BY id;

CREATE TABLE token_by_segment (
    id         BLOB NOT NULL PRIMARY KEY,
    session_id BLOB REFERENCES session_by_segment (id) ON DELETE CASCADE,
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
INSERT INTO token_by_segment
    SELECT id, session_id, client_id, kind, hash, audience, scope, details, issued_at, expires_at, one_use, used_at, replaced_by, revoked_at
    FROM token ORDER BY id;

DROP TABLE token;
DROP TABLE session;
ALTER TABLE session_by_segment RENAME TO session;
ALTER TABLE token_by_segment RENAME TO token;

CREATE INDEX session_by_segment ON session (segment, user_id);
CREATE INDEX session_by_client ON session (client_id);
CREATE INDEX session_by_end ON session (ends_at);
CREATE UNIQUE INDEX token_by_hash ON token (hash) WHERE hash IS NOT NULL;
CREATE INDEX token_by_session ON token (session_id);
CREATE INDEX token_by_client ON token (client_id) WHERE session_id IS NULL;
CREATE INDEX token_by_expiry ON token (expires_at) WHERE session_id IS NULL;

DROP INDEX audit_by_subject;
CREATE INDEX audit_by_subject ON audit (seq / 1024, subject);

-- Ids are UUIDs as 16 bytes, times are unix milliseconds. The same tables stand in ../../postgres.

CREATE TABLE "user" (
    id            BLOB NOT NULL PRIMARY KEY,
    name          TEXT NOT NULL,
    name_folded   TEXT NOT NULL UNIQUE,
    email         TEXT,
    password_hash TEXT,
    role          TEXT NOT NULL CHECK (role IN ('user', 'helpdesk', 'auditor', 'admin')),
    state         TEXT NOT NULL CHECK (state IN ('active', 'locked')),
    created_at    BIGINT NOT NULL
);

CREATE TABLE factor (
    id           BLOB NOT NULL PRIMARY KEY,
    user_id      BLOB NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL CHECK (kind IN ('totp', 'hotp')),
    label        TEXT NOT NULL,
    algorithm    TEXT NOT NULL,
    digits       INTEGER NOT NULL,
    period_s     BIGINT,
    state        TEXT NOT NULL CHECK (state IN ('pending', 'active', 'revoked')),
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    confirmed_at BIGINT,
    revoked_at   BIGINT
);
CREATE INDEX factor_by_user ON factor (user_id, state);
CREATE INDEX factor_revoked ON factor (revoked_at) WHERE state = 'revoked';
CREATE INDEX factor_pending ON factor (expires_at) WHERE state = 'pending';

-- The wide sealed secret and the hot last step each have a table of their own,
-- so that spending a step writes a narrow row. A reset deletes both rows.
CREATE TABLE factor_secret (
    factor_id BLOB NOT NULL PRIMARY KEY REFERENCES factor (id) ON DELETE CASCADE,
    sealed    BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE factor_step (
    factor_id BLOB NOT NULL PRIMARY KEY REFERENCES factor (id) ON DELETE CASCADE,
    last_step BIGINT NOT NULL,
    used_at   BIGINT
) WITHOUT ROWID;

-- Consecutive failures. Subject: a user's id for codes; for a name that nobody has an id derived from that name by
-- keyed hash, so that a stranger cannot tell the two apart by being locked out; for passwords a keyed hash of name and
-- address, or of the address alone.
CREATE TABLE lockout (
    subject      BLOB NOT NULL PRIMARY KEY,
    failures     BIGINT NOT NULL,
    locked_until BIGINT NOT NULL,
    attempted_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE client (
    id            BLOB NOT NULL PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    secret_hash   BLOB NOT NULL,
    grants        TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    audiences     TEXT NOT NULL,
    scopes        TEXT NOT NULL,
    detail_types  TEXT NOT NULL,
    token_format  TEXT NOT NULL CHECK (token_format IN ('jwt', 'opaque')),
    token_ttl_s   BIGINT NOT NULL,
    one_use       BOOLEAN NOT NULL,
    session_idle_s BIGINT NOT NULL,
    session_ttl_s  BIGINT NOT NULL,
    second_factor TEXT NOT NULL CHECK (second_factor IN ('required', 'optional')),
    state         TEXT NOT NULL CHECK (state IN ('active', 'disabled')),
    created_at    BIGINT NOT NULL
);

-- Every login. It ends at `ends_at` unless a refresh moves that on, and never later than `limit_at`. `refresh_id` is the one
-- refresh token that is good: rotating it is one conditional statement, so there are never two live chains.
CREATE TABLE session (
    id         BLOB NOT NULL PRIMARY KEY,
    user_id    BLOB NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    client_id  BLOB NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    factor_id  BLOB REFERENCES factor (id) ON DELETE CASCADE,
    amr        TEXT NOT NULL,
    address    TEXT,
    started_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    limit_at   BIGINT NOT NULL,
    refresh_id BLOB,
    revoked_at BIGINT
);
CREATE INDEX session_by_user ON session (user_id, id);
CREATE INDEX session_by_client ON session (client_id);
CREATE INDEX session_by_factor ON session (factor_id);
CREATE INDEX session_by_end ON session (ends_at);

-- `id` is the `jti` of a JWT; an opaque token and a refresh token are found by `hash`. `replaced_by`: the refresh token that
-- a spent one was exchanged for.
CREATE TABLE token (
    id         BLOB NOT NULL PRIMARY KEY,
    session_id BLOB REFERENCES session (id) ON DELETE CASCADE,
    client_id  BLOB NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    kind       TEXT NOT NULL CHECK (kind IN ('access', 'refresh')),
    hash       BLOB UNIQUE,
    audience   TEXT NOT NULL,
    scope      TEXT NOT NULL,
    details    TEXT,
    issued_at  BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    one_use    BOOLEAN NOT NULL,
    used_at    BIGINT,
    replaced_by BLOB,
    revoked_at BIGINT
);
CREATE INDEX token_by_session ON token (session_id);
CREATE INDEX token_by_client ON token (client_id);
CREATE INDEX token_by_expiry ON token (expires_at);

CREATE TABLE mfa_token (
    hash        BLOB NOT NULL PRIMARY KEY,
    user_id     BLOB NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    client_id   BLOB NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    audience    TEXT NOT NULL,
    scope       TEXT NOT NULL,
    details     TEXT,
    expires_at  BIGINT NOT NULL,
    consumed_at BIGINT
) WITHOUT ROWID;
CREATE INDEX mfa_token_by_user ON mfa_token (user_id);
CREATE INDEX mfa_token_by_expiry ON mfa_token (expires_at);

CREATE TABLE signing_key (
    kid          TEXT NOT NULL PRIMARY KEY,
    alg          TEXT NOT NULL CHECK (alg IN ('EdDSA', 'ES256')),
    sealed       BLOB NOT NULL,
    public_key   BLOB NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('next', 'current', 'retired', 'revoked')),
    created_at   BIGINT NOT NULL,
    activated_at BIGINT,
    retired_at   BIGINT
);
CREATE UNIQUE INDEX signing_key_one_current ON signing_key (state) WHERE state = 'current';
CREATE UNIQUE INDEX signing_key_one_next ON signing_key (state) WHERE state = 'next';

-- Keyed hashes of single-use codes for whoever lost the phone. A used one is deleted.
CREATE TABLE recovery_code (
    hash       BLOB NOT NULL PRIMARY KEY,
    user_id    BLOB NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX recovery_code_by_user ON recovery_code (user_id);

-- What was revoked while JWTs of it could still be verified, until the last of them has ended. `seq` is the audit log's number
-- when it was committed, so it grows in the order of commits: whoever has read up to a number has missed nothing below it.
CREATE TABLE revocation (
    seq        BIGINT NOT NULL,
    kind       TEXT NOT NULL CHECK (kind IN ('token', 'session', 'key')),
    id         TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (seq, kind, id)
) WITHOUT ROWID;
CREATE INDEX revocation_by_expiry ON revocation (expires_at);

-- Scopes that tighten the policy of the client that asks for them. A scope without a row is ruled by the client alone.
CREATE TABLE scope_rule (
    name        TEXT NOT NULL PRIMARY KEY,
    description TEXT NOT NULL,
    audience    TEXT,
    token_ttl_s BIGINT,
    max_age_s   BIGINT,
    acr         TEXT,
    one_use     BOOLEAN NOT NULL,
    by_grant    BOOLEAN NOT NULL
) WITHOUT ROWID;

CREATE TABLE user_group (
    id         BLOB NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE group_member (
    group_id BLOB NOT NULL REFERENCES user_group (id) ON DELETE CASCADE,
    user_id  BLOB NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
) WITHOUT ROWID;
CREATE INDEX group_member_by_user ON group_member (user_id);

-- Access given to a user or to a group for a time: a scope, or an entry of authorization_details as JSON.
CREATE TABLE access_grant (
    id         BLOB NOT NULL PRIMARY KEY,
    user_id    BLOB REFERENCES "user" (id) ON DELETE CASCADE,
    group_id   BLOB REFERENCES user_group (id) ON DELETE CASCADE,
    scope      TEXT,
    detail     TEXT,
    starts_at  BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    CHECK ((user_id IS NULL) <> (group_id IS NULL)),
    CHECK ((scope IS NULL) <> (detail IS NULL))
);
CREATE INDEX access_grant_by_user ON access_grant (user_id);
CREATE INDEX access_grant_by_group ON access_grant (group_id);
CREATE INDEX access_grant_by_end ON access_grant (ends_at);

-- Append only; `hash` chains every row to the one before it (docs/SECURITY.md).
CREATE TABLE audit (
    seq     INTEGER NOT NULL PRIMARY KEY,
    at      BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT,
    outcome TEXT NOT NULL,
    address TEXT,
    detail  TEXT,
    hash    BLOB NOT NULL
);

CREATE TABLE audit_head (
    id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq  BIGINT NOT NULL,
    hash BLOB NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, X'');

-- Which master key seals this database: a value sealed under it, opened at every start.
CREATE TABLE master_key (
    key_id     TEXT NOT NULL PRIMARY KEY,
    proof      BLOB NOT NULL,
    created_at BIGINT NOT NULL
);

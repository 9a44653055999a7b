-- What the web console and the mails need: sign-in in a browser, invitations, devices, the outbox, approvals.

-- Names are compared and ordered by their bytes, as on SQLite, whatever the database's collation.
ALTER TABLE "user" ALTER COLUMN name_folded SET DATA TYPE TEXT COLLATE "C";
ALTER TABLE "user" ADD COLUMN language TEXT;
ALTER TABLE "user" ADD COLUMN email_folded TEXT COLLATE "C";
UPDATE "user" SET email_folded = lower(email);
CREATE INDEX user_by_email ON "user" (email_folded);
CREATE INDEX user_by_role ON "user" (role, name_folded);
CREATE INDEX user_by_state ON "user" (state, name_folded);

-- `fresh_at`: when a code was last given within the session. `device`: the browser, in words.
ALTER TABLE session ADD COLUMN fresh_at BIGINT;
ALTER TABLE session ADD COLUMN device TEXT;

-- The console is an application like others. Its client is built in: nobody knows a secret of it, since there is none.
INSERT INTO client (id, name, secret_hash, grants, redirect_uris, audiences, scopes, detail_types, token_format, token_ttl_s,
                    one_use, session_idle_s, session_ttl_s, second_factor, state, created_at)
VALUES ('\x00000000000070008000636f6e736f6c', 'Countersign console', '\x',
        'password http://auth0.com/oauth/grant-type/mfa-otp http://auth0.com/oauth/grant-type/mfa-recovery-code', '', '',
        'audit audit:read clients clients:read factors factors:read sessions users users:read', '', 'opaque', 43200,
        FALSE, 1800, 43200, 'required', 'active', 0);

-- One-time links, by keyed hash. Without a user: for the first administrator.
CREATE TABLE invitation (
    hash       BYTEA NOT NULL PRIMARY KEY,
    user_id    BYTEA REFERENCES "user" (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX invitation_by_user ON invitation (user_id);
CREATE INDEX invitation_by_expiry ON invitation (expires_at);

-- Where a user has logged in before: a keyed hash of application and network, or of a browser's own mark.
CREATE TABLE known_device (
    user_id BYTEA NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    hash    BYTEA NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, hash)
);
CREATE INDEX known_device_by_age ON known_device (seen_at);

-- Browsers that may log in without a code for a while, where the operator allows it.
CREATE TABLE trusted_device (
    hash       BYTEA NOT NULL PRIMARY KEY,
    user_id    BYTEA NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX trusted_device_by_user ON trusted_device (user_id);
CREATE INDEX trusted_device_by_expiry ON trusted_device (expires_at);

-- Mails. `sealed` holds the message and is dropped once it was sent. Whoever sends one claims it until `claimed_until`.
CREATE TABLE outbox (
    id            BYTEA NOT NULL PRIMARY KEY,
    user_id       BYTEA REFERENCES "user" (id) ON DELETE SET NULL,
    recipient     TEXT NOT NULL,
    kind          TEXT NOT NULL,
    sealed        BYTEA,
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts      BIGINT NOT NULL,
    next_at       BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    sent_at       BIGINT,
    last_error    TEXT
);
CREATE INDEX outbox_due ON outbox (next_at) WHERE state = 'waiting';
CREATE INDEX outbox_by_user ON outbox (user_id);

-- Resets that wait for a second person.
CREATE TABLE reset_request (
    id         BYTEA NOT NULL PRIMARY KEY,
    user_id    BYTEA NOT NULL UNIQUE REFERENCES "user" (id) ON DELETE CASCADE,
    asked_by   BYTEA NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
    asked_at   BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX reset_request_by_asker ON reset_request (asked_by);

CREATE INDEX audit_by_action ON audit (action, seq);
CREATE INDEX audit_by_subject ON audit (subject, seq);
CREATE INDEX audit_by_actor ON audit (actor, seq);

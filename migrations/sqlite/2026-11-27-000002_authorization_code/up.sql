-- What a browser carries to an application as `code` (RFC 6749 s4.1.2), by keyed hash: good once, for a minute, and while the console's session
-- lasts that it came from. `led_to`: the session that began with it, which ends where the code is shown once more. No reference to `session`:
-- each session that is deleted would be looked for here.
CREATE TABLE authorization_code (
    hash         BLOB NOT NULL PRIMARY KEY,
    session_id   BLOB NOT NULL,
    client_id    BLOB NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    audience     TEXT NOT NULL,
    scope        TEXT NOT NULL,
    details      TEXT,
    nonce        TEXT,
    challenge    TEXT,
    expires_at   BIGINT NOT NULL,
    led_to       BLOB
) WITHOUT ROWID;
CREATE INDEX authorization_code_by_expiry ON authorization_code (expires_at);

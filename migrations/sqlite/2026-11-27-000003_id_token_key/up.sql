-- The keys that sign ID tokens: RSA, which every application that knows OpenID Connect can check (OpenID Connect Core s15.1). They stand apart from those of access
-- tokens, which servers of the release before go on reading. None is there before the first ID token.
CREATE TABLE id_token_key (
    kid        TEXT NOT NULL PRIMARY KEY,
    sealed     BLOB NOT NULL,
    public_key BLOB NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('current', 'retired', 'revoked')),
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);
CREATE UNIQUE INDEX id_token_key_one_current ON id_token_key (state) WHERE state = 'current';

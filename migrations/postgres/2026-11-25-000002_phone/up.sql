-- What a phone's proofs are checked with: a key derived from the factor's secret, sealed. It outlives the secret, so that the
-- phone of a factor that is over can still be told so, and goes with the factor's row, that is with the user.
CREATE TABLE factor_phone (
    factor_id BYTEA NOT NULL PRIMARY KEY REFERENCES factor (id) ON DELETE CASCADE,
    sealed    BYTEA NOT NULL
);

-- What tokens, secrets and the audit log are hashed with, since the master key was rotated: hashes cannot be made anew, so their keys stay
-- and are sealed under the master key of today. No rows before the first rotation, when they are derived from the master key itself.
CREATE TABLE hash_key (
    purpose TEXT NOT NULL PRIMARY KEY,
    sealed  BYTEA NOT NULL
);

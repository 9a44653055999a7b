-- What every login writes, in fewer places. An index holds only the rows that it is asked for: opaque tokens by hash, and tokens without a
-- session, which end by themselves, by client and by end. All other tokens go with their session, at the latest. A client's own tokens are
-- removed with it by `db/client.rs`: a reference would read the whole table for it.
ALTER TABLE token DROP CONSTRAINT token_hash_key;
ALTER TABLE token DROP CONSTRAINT token_client_id_fkey;
DROP INDEX token_by_client;
DROP INDEX token_by_expiry;
CREATE UNIQUE INDEX token_by_hash ON token (hash) WHERE hash IS NOT NULL;
CREATE INDEX token_by_client ON token (client_id) WHERE session_id IS NULL;
CREATE INDEX token_by_expiry ON token (expires_at) WHERE session_id IS NULL;

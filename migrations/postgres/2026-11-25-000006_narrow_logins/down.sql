DROP INDEX token_by_hash;
DROP INDEX token_by_client;
DROP INDEX token_by_expiry;
DELETE FROM token WHERE client_id NOT IN (SELECT id FROM client);
ALTER TABLE token ADD CONSTRAINT token_hash_key UNIQUE (hash);
ALTER TABLE token ADD CONSTRAINT token_client_id_fkey FOREIGN KEY (client_id) REFERENCES client (id) ON DELETE CASCADE;
CREATE INDEX token_by_client ON token (client_id);
CREATE INDEX token_by_expiry ON token (expires_at);

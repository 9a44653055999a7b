ALTER TABLE lockout RESET (fillfactor);
ALTER TABLE factor_step RESET (fillfactor);

DROP TRIGGER session_without_client ON client;
DROP FUNCTION session_without_client();
DROP TRIGGER token_without_session ON session;
DROP FUNCTION token_without_session();

DELETE FROM session WHERE client_id NOT IN (SELECT id FROM client);
ALTER TABLE session ADD CONSTRAINT session_client_id_fkey FOREIGN KEY (client_id) REFERENCES client (id) ON DELETE CASCADE;
DELETE FROM token WHERE session_id IS NOT NULL AND session_id NOT IN (SELECT id FROM session);
ALTER TABLE token ADD CONSTRAINT token_session_id_fkey FOREIGN KEY (session_id) REFERENCES session (id) ON DELETE CASCADE;

-- What every login writes refers to nothing. For each row that is written, a reference has the row that it names looked for and locked: more than half of
-- what it took to write a login and its token. Whoever writes them holds the application and the session already (`app/client_auth`,
-- `db::session::hold`). What goes with what is said by triggers, which cost nothing until something is deleted.
LOCK TABLE client, session, token IN ACCESS EXCLUSIVE MODE; -- in the order in which a login takes them
ALTER TABLE token DROP CONSTRAINT token_session_id_fkey;
ALTER TABLE session DROP CONSTRAINT session_client_id_fkey;

-- By arrays: a connection keeps the plan of its first time, and that must not be one that reads the table because an application had many sessions.
CREATE OR REPLACE FUNCTION token_without_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM token WHERE session_id = ANY (ARRAY (SELECT id FROM gone));
    RETURN NULL;
END $$;
CREATE TRIGGER token_without_session AFTER DELETE ON session
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION token_without_session();

CREATE OR REPLACE FUNCTION session_without_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM session WHERE client_id = ANY (ARRAY (SELECT id FROM gone));
    RETURN NULL;
END $$;
CREATE TRIGGER session_without_client AFTER DELETE ON client
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION session_without_client();

-- A code writes its factor's step and its user's row at the gate anew each time. With room on the page for it, the row that it takes the place of is
-- cleared away by whoever comes next, and no index hears of it.
ALTER TABLE factor_step SET (fillfactor = 70);
ALTER TABLE lockout SET (fillfactor = 70);

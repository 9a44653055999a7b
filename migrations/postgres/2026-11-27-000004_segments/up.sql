-- What a user did is found segment by segment (`db/segment.rs`): an index by user alone is written somewhere else for every login. `segment`: the
-- number of the audit log's last entry before the login, divided by 1,024. What was there before, and what a server of the release before
-- writes, is segment 0. No reference to "user": each user that is deleted would be looked for in the whole table (`db/user.rs` removes its sessions).
ALTER TABLE session DROP CONSTRAINT session_user_id_fkey;
ALTER TABLE session ADD COLUMN segment BIGINT NOT NULL DEFAULT 0;
DROP INDEX session_by_user;
CREATE INDEX session_by_segment ON session (segment, user_id);

-- A server of the release before counts on the reference: it takes a token whose session has no user for an application's own. The release after
-- this one can do without.
CREATE OR REPLACE FUNCTION session_without_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM session WHERE id = ANY (ARRAY (
        WITH RECURSIVE part (segment) AS (
            SELECT min(segment) FROM session
            UNION ALL
            SELECT (SELECT min(session.segment) FROM session WHERE session.segment > part.segment) FROM part WHERE part.segment IS NOT NULL
        )
        SELECT session.id FROM part CROSS JOIN session WHERE session.segment = part.segment AND session.user_id = OLD.id
    ));
    RETURN OLD;
END $$;
CREATE TRIGGER session_without_user AFTER DELETE ON "user" FOR EACH ROW EXECUTE FUNCTION session_without_user();

DROP INDEX audit_by_subject;
CREATE INDEX audit_by_subject ON audit ((seq / 1024), subject);

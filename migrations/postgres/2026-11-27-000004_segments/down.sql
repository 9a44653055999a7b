DROP INDEX audit_by_subject;
CREATE INDEX audit_by_subject ON audit (subject, seq);

DROP TRIGGER session_without_user ON "user";
DROP FUNCTION session_without_user();

DROP INDEX session_by_segment;
ALTER TABLE session DROP COLUMN segment;
DELETE FROM session WHERE user_id NOT IN (SELECT id FROM "user");
CREATE INDEX session_by_user ON session (user_id, id);
ALTER TABLE session ADD CONSTRAINT session_user_id_fkey FOREIGN KEY (user_id) REFERENCES "user" (id) ON DELETE CASCADE;

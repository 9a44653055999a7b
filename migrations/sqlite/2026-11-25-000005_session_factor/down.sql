ALTER TABLE session RENAME COLUMN factor_id TO plain_factor_id;
ALTER TABLE session ADD COLUMN factor_id BLOB REFERENCES factor (id) ON DELETE CASCADE;
UPDATE session SET factor_id = plain_factor_id WHERE plain_factor_id IN (SELECT id FROM factor);
ALTER TABLE session DROP COLUMN plain_factor_id;
CREATE INDEX session_by_factor ON session (factor_id);

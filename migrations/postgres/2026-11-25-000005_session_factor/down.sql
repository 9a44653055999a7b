UPDATE session SET factor_id = NULL WHERE factor_id NOT IN (SELECT id FROM factor);
ALTER TABLE session ADD CONSTRAINT session_factor_id_fkey FOREIGN KEY (factor_id) REFERENCES factor (id) ON DELETE CASCADE;
CREATE INDEX session_by_factor ON session (factor_id);

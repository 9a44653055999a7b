-- Which factor a login was made with is looked for among its user's sessions, who is known then: an index of its own would cost every login
-- a page somewhere in the file. Without the index the reference has to go, too: each factor that is deleted would read the whole table.
-- Its sessions end with it (`app/factor.rs`), and go when they are over.
DROP INDEX session_by_factor;
ALTER TABLE session RENAME COLUMN factor_id TO referring_factor_id;
ALTER TABLE session ADD COLUMN factor_id BLOB;
UPDATE session SET factor_id = referring_factor_id;
ALTER TABLE session DROP COLUMN referring_factor_id;

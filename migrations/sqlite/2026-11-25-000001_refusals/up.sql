-- The refused among the audit log's entries, few among many: counted by day for the console, and listed.
CREATE INDEX audit_refused ON audit (seq, action) WHERE outcome <> 'done';

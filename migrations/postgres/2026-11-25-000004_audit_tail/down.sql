DROP TABLE audit_tail;

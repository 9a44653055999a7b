DROP INDEX audit_refused;

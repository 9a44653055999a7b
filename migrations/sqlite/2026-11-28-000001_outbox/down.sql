DROP INDEX outbox_sent;
DROP INDEX outbox_failed;
DROP INDEX outbox_waiting;

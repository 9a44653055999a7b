-- What housekeeping, the console and the metrics ask of the outbox, without a look at the sealed texts: which mails are old, how many wait or were given
-- up, and since when.
CREATE INDEX outbox_waiting ON outbox (created_at) WHERE state = 'waiting';
CREATE INDEX outbox_failed ON outbox (created_at) WHERE state = 'failed';
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE state = 'sent';

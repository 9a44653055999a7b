-- Where the audit log begins: number and hash of the last entry that was deleted because it was older than is kept, and a keyed hash of
-- both, so that nobody else can shorten the log unseen. (0, empty) while nothing was deleted.
CREATE TABLE audit_tail (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq   BIGINT NOT NULL,
    hash  BYTEA NOT NULL,
    proof BYTEA NOT NULL
);
INSERT INTO audit_tail (id, seq, hash, proof) VALUES (1, 0, '', '');

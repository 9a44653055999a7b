-- What `countersign move` remembers; no row in most databases. 'leaving': a move from here was begun, and this database still counts.
-- 'arriving': a move to here is not finished, and nobody may use it yet. 'left': everything has moved on, and nobody may use it again.
-- `mark` names this database, `other` the one at the other end; `place` is where that is, for people.
CREATE TABLE relocation (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    state TEXT NOT NULL CHECK (state IN ('leaving', 'arriving', 'left')),
    mark  BYTEA NOT NULL,
    other BYTEA,
    place TEXT NOT NULL,
    at    BIGINT NOT NULL
);

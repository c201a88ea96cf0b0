-- The transition log: append-only, each row bound to the one before it by a hash. Times are unix milliseconds; order is by seq alone.
CREATE TABLE transitions (
    seq         INTEGER PRIMARY KEY,
    unix_ms     INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    from_state  TEXT    NOT NULL,
    to_state    TEXT    NOT NULL,
    cause       TEXT    NOT NULL,
    actor       TEXT    NOT NULL,
    -- JSON object: what machines want to know, such as the request and the numbers of a stop's proof.
    detail      TEXT    NOT NULL,
    -- Unique: two writers can never hang two rows on the same one.
    prev        BLOB    NOT NULL UNIQUE,
    hash        BLOB    NOT NULL
) STRICT;

CREATE INDEX transitions_by_subject ON transitions (kind, subject, seq);

CREATE TRIGGER transitions_never_change BEFORE UPDATE ON transitions
BEGIN SELECT RAISE(ABORT, 'the transition log is append-only'); END;

CREATE TRIGGER transitions_never_go BEFORE DELETE ON transitions
BEGIN SELECT RAISE(ABORT, 'the transition log is append-only'); END;

-- The nodes as an index-server named them last: a monitor that starts while none answers knows whom to watch.
CREATE TABLE known_nodes (
    id              TEXT    PRIMARY KEY,
    name            TEXT    NOT NULL,
    address         TEXT    NOT NULL,
    metrics_address TEXT    NOT NULL,
    zone            TEXT    NOT NULL,
    intent          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

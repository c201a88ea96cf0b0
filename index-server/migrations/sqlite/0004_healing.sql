-- How far a walk over everything has come. pass: counts from 1. after: the last extent that it has dealt with; empty at its beginning.
-- ended_ms: 0 while it is under way. seen, found, skipped: in this pass. last_ms: how long the last whole pass took.
CREATE TABLE IF NOT EXISTS walks (
    name TEXT NOT NULL PRIMARY KEY,
    pass INTEGER NOT NULL,
    after BLOB NOT NULL,
    began_ms INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    found INTEGER NOT NULL,
    skipped INTEGER NOT NULL,
    last_ms INTEGER NOT NULL
);

-- Shards that lie on a node and that nothing names. epoch: the pass in which it was first seen. state: 0 marked, 1 claimed: to be set
-- aside, and never to be named again, 2 set aside on its node. since_ms: in this state.
CREATE TABLE IF NOT EXISTS orphans (
    extent BLOB NOT NULL,
    slot INTEGER NOT NULL,
    node TEXT NOT NULL REFERENCES nodes (id),
    epoch INTEGER NOT NULL,
    state INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (extent, slot, node)
);
CREATE INDEX IF NOT EXISTS orphans_on_node ON orphans (node, state, extent);

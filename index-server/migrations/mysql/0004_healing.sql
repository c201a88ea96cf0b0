-- How far a walk over everything has come. pass: counts from 1. after: the last extent that it has dealt with; empty at its beginning.
-- ended_ms: 0 while it is under way. seen, found, skipped: in this pass. last_ms: how long the last whole pass took.
CREATE TABLE IF NOT EXISTS walks (
    name VARCHAR(64) NOT NULL,
    pass BIGINT NOT NULL,
    after VARBINARY(16) NOT NULL,
    began_ms BIGINT NOT NULL,
    ended_ms BIGINT NOT NULL,
    seen BIGINT NOT NULL,
    found BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Shards that lie on a node and that nothing names. epoch: the pass in which it was first seen. state: 0 marked, 1 claimed: to be set
-- aside, and never to be named again, 2 set aside on its node. since_ms: in this state.
CREATE TABLE IF NOT EXISTS orphans (
    extent VARBINARY(16) NOT NULL,
    slot SMALLINT NOT NULL,
    node CHAR(36) NOT NULL,
    epoch BIGINT NOT NULL,
    state SMALLINT NOT NULL,
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (extent, slot, node),
    KEY orphans_on_node (node, state, extent),
    FOREIGN KEY (node) REFERENCES nodes (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

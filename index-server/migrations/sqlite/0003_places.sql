-- Where shards lie that are not where their group says: on a spare node, or moved ahead of their group. position: of the slot in the group.
CREATE TABLE IF NOT EXISTS elsewhere (
    extent BLOB NOT NULL REFERENCES extents (id),
    slot INTEGER NOT NULL,
    group_id INTEGER NOT NULL REFERENCES placement_groups (id),
    position INTEGER NOT NULL,
    node TEXT NOT NULL REFERENCES nodes (id),
    PRIMARY KEY (extent, slot)
);
CREATE INDEX IF NOT EXISTS elsewhere_of_group ON elsewhere (group_id, position, node, extent);
CREATE INDEX IF NOT EXISTS elsewhere_on_node ON elsewhere (node, extent);

-- Positions that are on their way to another node; the group still says where they come from.
CREATE TABLE IF NOT EXISTS moves (
    group_id INTEGER NOT NULL REFERENCES placement_groups (id),
    position INTEGER NOT NULL,
    node TEXT NOT NULL REFERENCES nodes (id),
    PRIMARY KEY (group_id, position)
);

-- How a node's share of the groups is counted. factor_permille: the operators' word. capacity: followed only when it changed much, so
-- that a file system that reports a little more or less moves nothing. retire: when it is empty, it is done with.
CREATE TABLE IF NOT EXISTS node_shares (
    node TEXT NOT NULL PRIMARY KEY REFERENCES nodes (id),
    factor_permille INTEGER NOT NULL,
    capacity INTEGER NOT NULL,
    retire INTEGER NOT NULL
);

-- Where shards lie that are not where their group says: on a spare node, or moved ahead of their group. position: of the slot in the group.
CREATE TABLE IF NOT EXISTS elsewhere (
    extent VARBINARY(16) NOT NULL,
    slot SMALLINT NOT NULL,
    group_id BIGINT NOT NULL,
    position SMALLINT NOT NULL,
    node CHAR(36) NOT NULL,
    PRIMARY KEY (extent, slot),
    KEY elsewhere_of_group (group_id, position, node, extent),
    KEY elsewhere_on_node (node, extent),
    FOREIGN KEY (extent) REFERENCES extents (id),
    FOREIGN KEY (group_id) REFERENCES placement_groups (id),
    FOREIGN KEY (node) REFERENCES nodes (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Positions that are on their way to another node; the group still says where they come from.
CREATE TABLE IF NOT EXISTS moves (
    group_id BIGINT NOT NULL,
    position SMALLINT NOT NULL,
    node CHAR(36) NOT NULL,
    PRIMARY KEY (group_id, position),
    FOREIGN KEY (group_id) REFERENCES placement_groups (id),
    FOREIGN KEY (node) REFERENCES nodes (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- How a node's share of the groups is counted. factor_permille: the operators' word. capacity: followed only when it changed much, so
-- that a file system that reports a little more or less moves nothing. retire: when it is empty, it is done with.
CREATE TABLE IF NOT EXISTS node_shares (
    node CHAR(36) NOT NULL PRIMARY KEY,
    factor_permille BIGINT NOT NULL,
    capacity BIGINT NOT NULL,
    retire SMALLINT NOT NULL,
    FOREIGN KEY (node) REFERENCES nodes (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

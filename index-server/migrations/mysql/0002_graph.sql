-- The tag graph, for clusters without a graph database. Derived from the catalog: it can be emptied and made again.

CREATE TABLE IF NOT EXISTS graph_files (
    entry BIGINT NOT NULL PRIMARY KEY,
    owner VARCHAR(64) NOT NULL,
    name VARBINARY(255) NOT NULL,
    path BLOB NOT NULL,
    size BIGINT NOT NULL,
    KEY graph_files_of_owner (owner)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- A tag is there as long as an edge leads to it. The owner of the file stands in the edge, so that counts read one index alone.
CREATE TABLE IF NOT EXISTS graph_edges (
    entry BIGINT NOT NULL,
    kind VARCHAR(32) NOT NULL,
    name VARBINARY(255) NOT NULL,
    owner VARCHAR(64) NOT NULL,
    score DOUBLE NOT NULL,
    PRIMARY KEY (entry, kind, name),
    KEY graph_edges_of_owner (owner, name, kind, entry),
    KEY graph_edges_of_tag (name, kind, entry)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

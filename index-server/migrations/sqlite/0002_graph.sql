-- The tag graph, for clusters without a graph database. Derived from the catalog: it can be emptied and made again.

CREATE TABLE IF NOT EXISTS graph_files (
    entry INTEGER NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    name BLOB NOT NULL,
    path BLOB NOT NULL,
    size INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS graph_files_of_owner ON graph_files (owner);

-- A tag is there as long as an edge leads to it. The owner of the file stands in the edge, so that counts read one index alone.
CREATE TABLE IF NOT EXISTS graph_edges (
    entry INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name BLOB NOT NULL,
    owner TEXT NOT NULL,
    score REAL NOT NULL,
    PRIMARY KEY (entry, kind, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS graph_edges_of_owner ON graph_edges (owner, name, kind, entry);
CREATE INDEX IF NOT EXISTS graph_edges_of_tag ON graph_edges (name, kind, entry);

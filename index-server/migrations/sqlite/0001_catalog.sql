-- Names are bytes, times are Unix milliseconds, there are no booleans: so both databases compare and store alike.

CREATE TABLE IF NOT EXISTS settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS users (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS credentials (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_name TEXT NOT NULL REFERENCES users (name),
    kind TEXT NOT NULL,
    label BLOB NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER
);
CREATE INDEX IF NOT EXISTS credentials_of_user ON credentials (user_name);

CREATE TABLE IF NOT EXISTS contents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    size INTEGER NOT NULL,
    blake3 BLOB NOT NULL,
    media_type BLOB NOT NULL,
    created_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS contents_by_size ON contents (size);

-- kind: 0 folder, 1 file. parent: 0 in the root, -id in the trash. name_folded: the name without case, for search.
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL REFERENCES users (name),
    parent INTEGER NOT NULL,
    name BLOB NOT NULL,
    name_folded BLOB NOT NULL,
    kind INTEGER NOT NULL,
    content INTEGER REFERENCES contents (id),
    created_ms INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS entries_by_name ON entries (owner, parent, name);
CREATE INDEX IF NOT EXISTS entries_in_order ON entries (owner, parent, kind, name);
CREATE INDEX IF NOT EXISTS entries_found ON entries (owner, kind, name, id, name_folded, parent);
CREATE UNIQUE INDEX IF NOT EXISTS entries_by_content ON entries (content);

CREATE TABLE IF NOT EXISTS trash (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    entry INTEGER NOT NULL UNIQUE REFERENCES entries (id),
    owner TEXT NOT NULL,
    original_path BLOB NOT NULL,
    trashed_ms INTEGER NOT NULL,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    purging INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS trash_of_owner ON trash (owner, id);
CREATE INDEX IF NOT EXISTS trash_by_age ON trash (trashed_ms);

CREATE TABLE IF NOT EXISTS extents (
    id BLOB NOT NULL PRIMARY KEY,
    content INTEGER NOT NULL REFERENCES contents (id),
    seq INTEGER NOT NULL,
    file_offset INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    group_id INTEGER NOT NULL,
    data INTEGER NOT NULL,
    parity INTEGER NOT NULL,
    cell_bytes INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS extents_of_content ON extents (content, seq);
CREATE INDEX IF NOT EXISTS extents_of_group ON extents (group_id, id);

CREATE TABLE IF NOT EXISTS short_shards (
    since_seq INTEGER PRIMARY KEY AUTOINCREMENT,
    extent BLOB NOT NULL REFERENCES extents (id),
    slot INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS short_shards_of_extent ON short_shards (extent, slot);

CREATE TABLE IF NOT EXISTS removals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    extent BLOB NOT NULL,
    slot INTEGER NOT NULL,
    node TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS removals_of_shard ON removals (extent, slot, node);
CREATE INDEX IF NOT EXISTS removals_of_node ON removals (node, id);

CREATE TABLE IF NOT EXISTS nodes (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    address BLOB NOT NULL,
    metrics_address BLOB NOT NULL,
    zone BLOB NOT NULL,
    capacity INTEGER NOT NULL,
    intent TEXT NOT NULL,
    joined_ms INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS placement_groups (
    id INTEGER NOT NULL PRIMARY KEY,
    width INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS group_members (
    group_id INTEGER NOT NULL REFERENCES placement_groups (id),
    position INTEGER NOT NULL,
    node TEXT NOT NULL REFERENCES nodes (id),
    PRIMARY KEY (group_id, position)
);
CREATE INDEX IF NOT EXISTS groups_of_node ON group_members (node);

-- scope: 0 the entry alone, 1 the entry and all below it.
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    entry INTEGER NOT NULL,
    scope INTEGER NOT NULL,
    content INTEGER,
    attempts INTEGER NOT NULL,
    not_before_ms INTEGER NOT NULL,
    last_error BLOB
);
CREATE INDEX IF NOT EXISTS outbox_of_topic ON outbox (topic, seq);

CREATE TABLE IF NOT EXISTS tags (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    name BLOB NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS tags_by_name ON tags (name, kind);

-- state: 0 suggested, 1 confirmed, 2 rejected.
CREATE TABLE IF NOT EXISTS taggings (
    entry INTEGER NOT NULL REFERENCES entries (id),
    tag INTEGER NOT NULL REFERENCES tags (id),
    source TEXT NOT NULL,
    version TEXT NOT NULL,
    score REAL NOT NULL,
    evidence BLOB NOT NULL,
    state INTEGER NOT NULL,
    by_user TEXT,
    PRIMARY KEY (entry, tag)
);
CREATE INDEX IF NOT EXISTS taggings_of_tag ON taggings (tag, entry);

CREATE TABLE IF NOT EXISTS leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    beat INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS idempotency (
    user_name TEXT NOT NULL,
    request_key BLOB NOT NULL,
    request_hash BLOB NOT NULL,
    response_json BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (user_name, request_key)
);
CREATE INDEX IF NOT EXISTS idempotency_by_age ON idempotency (created_ms);

-- One row per committed upload, in its own transaction: what tells a broken commit that happened from one that did not.
CREATE TABLE IF NOT EXISTS operations (
    id BLOB NOT NULL PRIMARY KEY,
    response_json BLOB NOT NULL,
    created_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS operations_by_age ON operations (created_ms);

-- Names are bytes, times are Unix milliseconds, there are no booleans: so both databases compare and store alike.

CREATE TABLE IF NOT EXISTS settings (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS users (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    role VARCHAR(32) NOT NULL,
    password_hash VARCHAR(255) NOT NULL,
    created_ms BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS credentials (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_name VARCHAR(64) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    label VARBINARY(255) NOT NULL,
    token_hash VARBINARY(32) NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    KEY credentials_of_user (user_name),
    FOREIGN KEY (user_name) REFERENCES users (name)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS contents (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    size BIGINT NOT NULL,
    blake3 VARBINARY(32) NOT NULL,
    media_type VARBINARY(255) NOT NULL,
    created_ms BIGINT NOT NULL,
    KEY contents_by_size (size)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- kind: 0 folder, 1 file. parent: 0 in the root, -id in the trash. name_folded: the name without case, for search.
CREATE TABLE IF NOT EXISTS entries (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    owner VARCHAR(64) NOT NULL,
    parent BIGINT NOT NULL,
    name VARBINARY(255) NOT NULL,
    name_folded VARBINARY(400) NOT NULL,
    kind SMALLINT NOT NULL,
    content BIGINT,
    created_ms BIGINT NOT NULL,
    modified_ms BIGINT NOT NULL,
    UNIQUE KEY entries_by_name (owner, parent, name),
    KEY entries_in_order (owner, parent, kind, name),
    KEY entries_found (owner, kind, name, id, name_folded, parent),
    UNIQUE KEY entries_by_content (content),
    FOREIGN KEY (owner) REFERENCES users (name),
    FOREIGN KEY (content) REFERENCES contents (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS trash (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    entry BIGINT NOT NULL UNIQUE,
    owner VARCHAR(64) NOT NULL,
    original_path BLOB NOT NULL,
    trashed_ms BIGINT NOT NULL,
    files BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    purging SMALLINT NOT NULL,
    KEY trash_of_owner (owner, id),
    KEY trash_by_age (trashed_ms),
    FOREIGN KEY (entry) REFERENCES entries (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS extents (
    id VARBINARY(16) NOT NULL PRIMARY KEY,
    content BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    file_offset BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    group_id BIGINT NOT NULL,
    data SMALLINT NOT NULL,
    parity SMALLINT NOT NULL,
    cell_bytes BIGINT NOT NULL,
    UNIQUE KEY extents_of_content (content, seq),
    KEY extents_of_group (group_id, id),
    FOREIGN KEY (content) REFERENCES contents (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS short_shards (
    since_seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    extent VARBINARY(16) NOT NULL,
    slot SMALLINT NOT NULL,
    UNIQUE KEY short_shards_of_extent (extent, slot),
    FOREIGN KEY (extent) REFERENCES extents (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS removals (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    extent VARBINARY(16) NOT NULL,
    slot SMALLINT NOT NULL,
    node CHAR(36) NOT NULL,
    created_ms BIGINT NOT NULL,
    UNIQUE KEY removals_of_shard (extent, slot, node),
    KEY removals_of_node (node, id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS nodes (
    id CHAR(36) NOT NULL PRIMARY KEY,
    name VARCHAR(64) NOT NULL UNIQUE,
    address VARBINARY(255) NOT NULL,
    metrics_address VARBINARY(255) NOT NULL,
    zone VARBINARY(255) NOT NULL,
    capacity BIGINT NOT NULL,
    intent VARCHAR(32) NOT NULL,
    joined_ms BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS placement_groups (
    id BIGINT NOT NULL PRIMARY KEY,
    width SMALLINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS group_members (
    group_id BIGINT NOT NULL,
    position SMALLINT NOT NULL,
    node CHAR(36) NOT NULL,
    PRIMARY KEY (group_id, position),
    KEY groups_of_node (node),
    FOREIGN KEY (group_id) REFERENCES placement_groups (id),
    FOREIGN KEY (node) REFERENCES nodes (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- scope: 0 the entry alone, 1 the entry and all below it.
CREATE TABLE IF NOT EXISTS outbox (
    seq BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    topic VARCHAR(32) NOT NULL,
    entry BIGINT NOT NULL,
    scope SMALLINT NOT NULL,
    content BIGINT,
    attempts BIGINT NOT NULL,
    not_before_ms BIGINT NOT NULL,
    last_error BLOB,
    KEY outbox_of_topic (topic, seq)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tags (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    kind VARCHAR(32) NOT NULL,
    name VARBINARY(255) NOT NULL,
    UNIQUE KEY tags_by_name (name, kind)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- state: 0 suggested, 1 confirmed, 2 rejected.
CREATE TABLE IF NOT EXISTS taggings (
    entry BIGINT NOT NULL,
    tag BIGINT NOT NULL,
    source VARCHAR(64) NOT NULL,
    version VARCHAR(64) NOT NULL,
    score DOUBLE NOT NULL,
    evidence BLOB NOT NULL,
    state SMALLINT NOT NULL,
    by_user VARCHAR(64),
    PRIMARY KEY (entry, tag),
    KEY taggings_of_tag (tag, entry),
    FOREIGN KEY (entry) REFERENCES entries (id),
    FOREIGN KEY (tag) REFERENCES tags (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS leases (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    holder VARCHAR(64) NOT NULL,
    epoch BIGINT NOT NULL,
    beat BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS idempotency (
    user_name VARCHAR(64) NOT NULL,
    request_key VARBINARY(255) NOT NULL,
    request_hash VARBINARY(32) NOT NULL,
    response_json MEDIUMBLOB NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (user_name, request_key),
    KEY idempotency_by_age (created_ms)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One row per committed upload, in its own transaction: what tells a broken commit that happened from one that did not.
CREATE TABLE IF NOT EXISTS operations (
    id VARBINARY(16) NOT NULL PRIMARY KEY,
    response_json MEDIUMBLOB NOT NULL,
    created_ms BIGINT NOT NULL,
    KEY operations_by_age (created_ms)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

//! The statements. All that varies is a parameter; `$owner` is null where everybody's files are meant.
//!
//! `(:File {id, owner, name, path, size})-[:TAGGED {score}]->(:Tag {owner, kind, name})`. Each owner has tags of their own, so no
//! way through a tag leads from one owner's file to another's, and the files of a tag are counted by its degree.

/// Each by itself; all can be run again.
pub(super) const SCHEMA: &[&str] = &[
    "CREATE CONSTRAINT asterism_file IF NOT EXISTS FOR (file:File) REQUIRE file.id IS UNIQUE",
    "CREATE CONSTRAINT asterism_tag IF NOT EXISTS FOR (tag:Tag) REQUIRE (tag.owner, tag.kind, tag.name) IS UNIQUE",
    "CREATE INDEX asterism_owner IF NOT EXISTS FOR (file:File) ON (file.owner)",
    "CREATE INDEX asterism_tag_name IF NOT EXISTS FOR (tag:Tag) ON (tag.name)",
];

pub(super) const SET_FILES: &str = "\
UNWIND $files AS row
MERGE (file:File {id: row.id})
SET file.owner = row.owner, file.name = row.name, file.path = row.path, file.size = row.size";

pub(super) const SET_EDGES: &str = "\
UNWIND $edges AS row
MATCH (file:File {id: row.file})
MERGE (tag:Tag {owner: row.owner, kind: row.kind, name: row.name})
MERGE (file)-[edge:TAGGED]->(tag)
SET edge.score = row.score";

/// Takes away the edges that the files no longer have, and then the tags without any.
pub(super) const DROP_EDGES: &str = "\
UNWIND $files AS row
MATCH (file:File {id: row.id})-[edge:TAGGED]->(tag:Tag)
WHERE tag.owner <> row.owner OR NOT [tag.kind, tag.name] IN row.tags
DELETE edge
WITH DISTINCT tag
WHERE NOT EXISTS { (tag)<-[:TAGGED]-() }
DELETE tag";

pub(super) const REMOVE: &str = "\
MATCH (file:File {id: $id})
OPTIONAL MATCH (file)-[:TAGGED]->(tag:Tag)
WITH file, collect(tag) AS tags
DETACH DELETE file
WITH tags
UNWIND tags AS tag
WITH tag WHERE NOT EXISTS { (tag)<-[:TAGGED]-() }
DELETE tag";

pub(super) const FILES: &str = "\
MATCH (file:File)
WHERE file.id IN $ids AND ($owner IS NULL OR file.owner = $owner)
RETURN file.id AS id, file.name AS name, file.path AS path, file.size AS size";

pub(super) const EDGES: &str = "\
MATCH (file:File)
WHERE file.id IN $ids AND ($owner IS NULL OR file.owner = $owner)
MATCH (file)-[edge:TAGGED]->(tag:Tag)
RETURN file.id AS id, tag.kind AS kind, tag.name AS name, edge.score AS score
LIMIT $limit";

pub(super) const TAG_COUNTS: &str = "\
UNWIND $tags AS row
MATCH (tag:Tag {kind: row.kind, name: row.name})
WHERE $owner IS NULL OR tag.owner = $owner
RETURN row.place AS place, sum(COUNT { (tag)<-[:TAGGED]-() }) AS files";

pub(super) const FILE_COUNT: &str = "\
MATCH (file:File {owner: $owner}) RETURN count(file) AS counted";

pub(super) const BESIDE: &str = "\
MATCH (base:Tag {name: $name})
WHERE ($kind IS NULL OR base.kind = $kind) AND ($owner IS NULL OR base.owner = $owner)
MATCH (base)<-[:TAGGED]-(file:File)
WITH DISTINCT file LIMIT $sample
MATCH (file)-[:TAGGED]->(tag:Tag)
WITH tag.kind AS kind, tag.name AS name, count(*) AS files
ORDER BY files DESC, kind, name LIMIT $limit
RETURN kind, name, files";

pub(super) const SHARING: &str = "\
UNWIND $tags AS row
MATCH (tag:Tag {kind: row.kind, name: row.name})
WHERE $owner IS NULL OR tag.owner = $owner
CALL {
  WITH tag
  MATCH (tag)<-[:TAGGED]-(file:File)
  RETURN file LIMIT $files_per_tag
}
WITH file.id AS id, count(*) AS tags
ORDER BY tags DESC, id DESC LIMIT $limit
RETURN id";

pub(super) const CARRYING: &str = "\
MATCH (first:Tag {kind: $kind, name: $name})
WHERE $owner IS NULL OR first.owner = $owner
MATCH (first)<-[:TAGGED]-(file:File)
WHERE COUNT { MATCH (file)-[:TAGGED]->(other:Tag) WHERE [other.kind, other.name] IN $others } = size($others)
RETURN file.id AS id ORDER BY id DESC LIMIT $limit";

pub(super) const COUNT_FILES: &str = "MATCH (file:File) RETURN count(file) AS counted";

pub(super) const COUNT_TAGS: &str = "MATCH (tag:Tag) RETURN count(tag) AS counted";

pub(super) const COUNT_EDGES: &str = "MATCH ()-[edge:TAGGED]->() RETURN count(edge) AS counted";

pub(super) const IDS_AFTER: &str = "\
MATCH (file:File) WHERE file.id > $after RETURN file.id AS id ORDER BY id LIMIT $limit";

pub(super) const CLEAR_EDGES: &str = "\
MATCH (:File)-[edge:TAGGED]->(:Tag) WITH edge LIMIT $limit DELETE edge RETURN count(*) AS counted";

pub(super) const CLEAR_FILES: &str = "\
MATCH (file:File) WITH file LIMIT $limit DETACH DELETE file RETURN count(*) AS counted";

pub(super) const CLEAR_TAGS: &str = "\
MATCH (tag:Tag) WITH tag LIMIT $limit DETACH DELETE tag RETURN count(*) AS counted";

pub(super) const PING: &str = "RETURN 1 AS counted";

//! What the API says, as it says it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who is logged in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Name of the user.
    pub user: String,
    /// `reader`, `editor`, `operator` or `admin`.
    pub role: String,
    /// RFC 3339; none for an API token without an end.
    pub expires_at: Option<String>,
}

/// A file or a folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// `file` or `folder`.
    pub kind: String,
    /// From the user's root.
    pub path: String,
    /// Last part of the path.
    pub name: String,
    /// Bytes; none for a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// BLAKE3 of the content, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
    /// By content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Name of the owner.
    #[serde(default)]
    pub owner: String,
    /// RFC 3339.
    #[serde(default)]
    pub created_at: String,
    /// RFC 3339.
    #[serde(default)]
    pub modified_at: String,
    /// Losses of nodes that the file survives now; negative: unreadable now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redundancy: Option<i64>,
    /// With why, where the call gives them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<Tagging>>,
}

/// Why a file carries a tag.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tagging {
    /// Of the tag.
    pub name: String,
    /// Of the tag: `keyword`, `type`, `format`, …
    pub kind: String,
    /// The tagger, or `user`.
    pub source: String,
    /// Of the tagger.
    #[serde(default)]
    pub version: String,
    /// 0 to 1.
    pub score: f64,
    /// What the tagger saw.
    #[serde(default)]
    pub evidence: String,
    /// `suggested`, `confirmed` or `rejected`.
    #[serde(default)]
    pub state: String,
}

/// A page of a listing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page<T> {
    /// In the order of the listing.
    pub items: Vec<T>,
    /// To ask for the next page; none at the end.
    #[serde(default)]
    pub next: Option<String>,
}

/// A tag and how many files carry it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TagCount {
    /// Of the tag.
    pub name: String,
    /// Of the tag.
    pub kind: String,
    /// That carry it.
    pub files: u64,
    /// Nearness, where the call gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

/// A file that shares tags with another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Similar {
    /// Of the file.
    pub path: String,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// 0 to 1.
    pub score: f64,
    /// Names of the shared tags.
    #[serde(default)]
    pub shared: Vec<String>,
}

/// Something in the trash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trashed {
    /// To restore exactly this one.
    pub id: i64,
    /// Where it was.
    pub path: String,
    /// `file` or `folder`.
    pub kind: String,
    /// Bytes; of a file.
    #[serde(default)]
    pub size: Option<u64>,
    /// RFC 3339.
    pub trashed_at: String,
    /// When it will go for good; RFC 3339.
    pub expires_at: String,
}

/// A storage node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    /// What people call it.
    pub name: String,
    /// UUID.
    pub id: String,
    /// One of the node states.
    pub state: String,
    /// `host:port` of its gRPC.
    pub address: String,
    /// Of its process; none if it never spoke.
    pub pid: Option<u32>,
    /// Failure domain.
    pub zone: String,
    /// For shards.
    pub free_bytes: u64,
    /// By shards.
    #[serde(default)]
    pub used_bytes: u64,
    /// For shards.
    pub capacity_bytes: u64,
    /// On the node.
    #[serde(default)]
    pub shards: u64,
    /// Over a minute.
    #[serde(default)]
    pub load1: f64,
    /// Of the machine.
    #[serde(default)]
    pub cores: u32,
    /// Of the process.
    #[serde(default)]
    pub resident_bytes: u64,
    /// Since the last sign of life.
    #[serde(default)]
    pub heartbeat_age_seconds: Option<f64>,
    /// Everything else the server says.
    #[serde(flatten)]
    pub more: BTreeMap<String, serde_json::Value>,
}

/// What people are told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Its number.
    pub id: i64,
    /// `monitor`, `alertmanager` or `grafana`.
    pub source: String,
    /// Of the alert.
    pub name: String,
    /// `critical`, `warning`, `info`, or what another system says.
    pub severity: String,
    /// With the name, which alert it is.
    pub labels: BTreeMap<String, String>,
    /// What made it fire.
    pub value: Option<f64>,
    /// `firing` or `resolved`.
    pub state: String,
    /// What is the case.
    pub summary: String,
    /// What to do.
    pub advice: String,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339; none while it fires.
    pub ended_at: Option<String>,
    /// That it touches, if that is known.
    pub files: Option<u64>,
    /// Of those files, at most 10.
    pub owners: Vec<String>,
    /// Of those files, at most 10.
    pub tags: Vec<String>,
    /// By the caller.
    #[serde(default)]
    pub read: bool,
    /// Who took it on.
    pub acknowledged_by: Option<String>,
    /// Everything else the server says.
    #[serde(flatten)]
    pub more: BTreeMap<String, serde_json::Value>,
}

/// What came of an act on a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// `done`, `started`, `refused`, `failed`, `dry_run` or `unchanged`.
    pub outcome: String,
    /// Of the node, now.
    pub state: String,
    /// A sentence.
    pub message: String,
    /// In the proof.
    #[serde(default)]
    pub groups_counted: u32,
    /// That would lose too much.
    #[serde(default)]
    pub groups_below_floor: u32,
    /// With the node gone.
    #[serde(default)]
    pub worst_margin: i32,
    /// In those groups.
    #[serde(default)]
    pub files_touched: u64,
    /// Of those files, at most 10.
    #[serde(default)]
    pub owners: Vec<String>,
    /// Of those files, at most 10.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What moves for it; of drain, retire and weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
}

/// What moves between nodes for an act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Of which a place changes hands.
    pub groups: u64,
    /// That change hands.
    pub places: u64,
    /// To be brought elsewhere, about.
    pub shards: u64,
    /// Of these shards, about.
    pub bytes: u64,
    /// With an extent in these groups.
    pub files: u64,
    /// At this speed.
    pub seconds: f64,
    /// Measured lately, else the limit.
    pub bytes_per_second: u64,
    /// The speed was measured.
    pub measured: bool,
    /// Losses that every file survives meanwhile.
    pub worst_margin: Option<i32>,
}

/// How the cluster is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// `k+m`.
    #[serde(default)]
    pub policy: String,
    /// Nodes by state.
    pub nodes: BTreeMap<String, u64>,
    /// Placement groups.
    pub groups: Groups,
    /// Extents that lack shards.
    pub short_extents: u64,
    /// In the store.
    pub files: u64,
    /// Of their content.
    pub bytes: u64,
    /// What works in the background.
    pub background: Vec<Background>,
    /// Everything else the server says.
    #[serde(flatten)]
    pub more: BTreeMap<String, serde_json::Value>,
}

/// Placement groups by margin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Groups {
    /// All of them.
    pub total: u64,
    /// Of all groups and short extents; none before there are groups.
    pub worst_margin: Option<i64>,
    /// Margin to groups.
    pub by_margin: BTreeMap<String, u64>,
}

/// A comparison of metadata, shards and tag graph.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fsck {
    /// `none`, `waiting`, `running`, `done` or `failed`.
    pub state: String,
    /// Differences are made good.
    pub repair: bool,
    /// Shards that were looked at.
    pub shards: u64,
    /// Files that were compared with the graph.
    pub files: u64,
    /// Nodes that were away.
    pub unchecked_nodes: Vec<String>,
    /// By kind, also those of which there are none.
    pub differences: Vec<Difference>,
    /// Why it ended early.
    pub error: Option<String>,
}

/// One kind of difference.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Difference {
    /// For programs.
    pub kind: String,
    /// For people.
    pub meaning: String,
    /// That were found.
    pub count: u64,
    /// That were made good, or given to those who do it.
    pub repaired: u64,
    /// The first of them.
    pub examples: Vec<String>,
}

/// A background worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Background {
    /// Of the worker.
    pub name: String,
    /// Pieces of work that wait.
    pub queue: u64,
    /// Pieces per second, lately.
    pub rate: f64,
    /// What failed last, if it has not succeeded since.
    pub last_error: Option<String>,
    /// Until the queue is empty at this rate.
    pub eta_seconds: Option<f64>,
}

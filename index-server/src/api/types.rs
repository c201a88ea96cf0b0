//! What the API says: one struct per shape, documented where clients read it.

use crate::{
    catalog::{self, Entry, TagState, Walk},
    members::{Member, Members},
    plan::Forecast,
    workers::Report,
};
use asterism_proto::NodeId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    /// Name of the user.
    pub(super) user: String,
    /// `reader`, `editor`, `operator` or `admin`.
    pub(super) role: String,
    /// RFC 3339; none for a token without an end.
    pub(super) expires_at: Option<String>,
}

/// A file or folder.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EntryBody {
    /// `file` or `folder`.
    pub(super) kind: &'static str,
    /// From the user's root.
    pub(super) path: String,
    /// Last part of the path; empty for the root.
    pub(super) name: String,
    /// Bytes, of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) size: Option<u64>,
    /// BLAKE3 of the content, hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) blake3: Option<String>,
    /// By content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    /// Name of the owner.
    pub(super) owner: String,
    /// RFC 3339.
    pub(super) created_at: String,
    /// RFC 3339.
    pub(super) modified_at: String,
    /// Losses of nodes that the file survives now; negative: unreadable now. Not in folder listings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) redundancy: Option<i32>,
    /// With why; of a single file and of search results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tags: Option<Vec<TaggingBody>>,
}

impl From<Entry> for EntryBody {
    fn from(entry: Entry) -> Self {
        let content = entry.content.as_ref();
        Self {
            kind: if content.is_some() { "file" } else { "folder" },
            name: entry.path.name().unwrap_or_default().to_owned(),
            size: content.map(|content| content.size),
            blake3: content.map(|content| hex(&content.blake3)),
            media_type: content.map(|content| content.media_type.clone()),
            owner: entry.owner.to_string(),
            created_at: rfc3339(entry.created_ms),
            modified_at: rfc3339(entry.modified_ms),
            redundancy: None,
            tags: None,
            path: entry.path.to_string(),
        }
    }
}

/// Why a file carries a tag.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TaggingBody {
    /// Of the tag.
    pub(super) name: String,
    /// Of the tag.
    pub(super) kind: String,
    /// The tagger, or `user`.
    pub(super) source: String,
    /// Of the tagger.
    pub(super) version: String,
    /// 0 to 1.
    pub(super) score: f64,
    /// What the tagger saw.
    pub(super) evidence: String,
    /// `suggested`, `confirmed` or `rejected`.
    pub(super) state: &'static str,
}

impl From<catalog::Tagging> for TaggingBody {
    fn from(tagging: catalog::Tagging) -> Self {
        Self {
            name: tagging.tag.name().to_owned(),
            kind: tagging.tag.kind().to_owned(),
            source: tagging.source,
            version: tagging.version,
            score: tagging.score,
            evidence: tagging.evidence,
            state: match tagging.state {
                TagState::Suggested => "suggested",
                TagState::Confirmed => "confirmed",
                TagState::Rejected => "rejected",
            },
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PageBody<T> {
    /// In the order of the list.
    pub(super) items: Vec<T>,
    /// Asks for the next page; none at the end.
    pub(super) next: Option<String>,
}

impl<T> From<Vec<T>> for PageBody<T> {
    fn from(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// Something in the trash.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TrashedBody {
    /// To restore exactly this.
    pub(super) id: i64,
    /// Where it was.
    pub(super) path: String,
    /// `file` or `folder`.
    pub(super) kind: &'static str,
    /// Bytes of all its files.
    pub(super) size: u64,
    /// RFC 3339.
    pub(super) trashed_at: String,
    /// When it goes for good; RFC 3339.
    pub(super) expires_at: String,
}

/// A tag and how many of the caller's files carry it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TagCountBody {
    /// Of the tag.
    pub(super) name: String,
    /// Of the tag.
    pub(super) kind: String,
    /// That carry it.
    pub(super) files: u64,
    /// Nearness, of related tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) score: Option<f64>,
}

/// A file that shares tags with another.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SimilarBody {
    /// Of the file.
    pub(super) path: String,
    /// Last part of the path.
    pub(super) name: String,
    /// Bytes.
    pub(super) size: u64,
    /// 0 to 1.
    pub(super) score: f64,
    /// Names of the shared tags.
    pub(super) shared: Vec<String>,
}

/// A storage node.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NodeBody {
    /// What people call it.
    pub(super) name: String,
    /// UUID.
    pub(super) id: String,
    /// One of the node states of the design.
    pub(super) state: &'static str,
    /// `host:port` of its gRPC.
    pub(super) address: String,
    /// `host:port` of its metrics.
    pub(super) metrics_address: String,
    /// Of its process, as last heard.
    pub(super) pid: Option<u32>,
    /// Failure domain.
    pub(super) zone: String,
    /// For shards.
    pub(super) free_bytes: u64,
    /// By shards.
    pub(super) used_bytes: u64,
    /// For shards.
    pub(super) capacity_bytes: u64,
    /// On the node.
    pub(super) shards: u64,
    /// Over a minute.
    pub(super) load1: f64,
    /// Of the machine.
    pub(super) cores: u32,
    /// Of the machine.
    pub(super) memory_total_bytes: u64,
    /// Of the machine.
    pub(super) memory_available_bytes: u64,
    /// Of the process.
    pub(super) resident_bytes: u64,
    /// Since the last sign of life; none if there was none since this server started.
    pub(super) heartbeat_age_seconds: Option<f64>,
    /// Of the process, as last heard.
    pub(super) uptime_seconds: f64,
    /// How often its capacity counts when the groups are dealt.
    pub(super) weight: f64,
}

impl NodeBody {
    /// The node as it is now.
    pub(super) fn of(members: &Members, member: &Member, factors: &HashMap<NodeId, f64>) -> Self {
        let said = member.heard.as_ref().map(|(_, said)| said.clone()).unwrap_or_default();
        Self {
            name: member.row.name.to_string(),
            id: member.row.id.to_string(),
            state: members.state(member).as_str(),
            address: member.row.address.clone(),
            metrics_address: member.row.metrics_address.clone(),
            pid: (said.pid != 0).then_some(said.pid),
            zone: member.row.zone.clone(),
            free_bytes: said.free_bytes,
            used_bytes: said.used_bytes,
            capacity_bytes: if said.capacity_bytes > 0 { said.capacity_bytes } else { member.row.capacity },
            shards: said.shards,
            load1: said.load1,
            cores: said.cores,
            memory_total_bytes: said.memory_total_bytes,
            memory_available_bytes: said.memory_available_bytes,
            resident_bytes: said.resident_bytes,
            heartbeat_age_seconds: member.age().map(|age| age.as_secs_f64()),
            uptime_seconds: said.uptime_seconds,
            weight: factors.get(&member.row.id).copied().unwrap_or(1.0),
        }
    }
}

/// What came of an act on a node.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Act {
    /// `done`, `started`, `refused`, `failed`, `dry_run` or `unchanged`.
    pub(super) outcome: &'static str,
    /// Of the node, now.
    pub(super) state: String,
    /// A sentence.
    pub(super) message: String,
    /// In the proof.
    pub(super) groups_counted: u32,
    /// That would lose too much.
    pub(super) groups_below_floor: u32,
    /// With the node gone.
    pub(super) worst_margin: i32,
    /// In those groups.
    pub(super) files_touched: u64,
    /// Of those files, at most 10.
    pub(super) owners: Vec<String>,
    /// Of those files, at most 10.
    pub(super) tags: Vec<String>,
    /// What moves for it; of drain, retire, weight, and a wake that takes one of them back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) plan: Option<PlanBody>,
}

/// What moves between nodes for an act.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct PlanBody {
    /// Of which a place changes hands.
    pub(super) groups: u64,
    /// That change hands.
    pub(super) places: u64,
    /// To be brought elsewhere, about.
    pub(super) shards: u64,
    /// Of these shards, about.
    pub(super) bytes: u64,
    /// With an extent in these groups; not counted beyond 100,000.
    pub(super) files: u64,
    /// At this speed.
    pub(super) seconds: f64,
    /// Measured lately, else the limit.
    pub(super) bytes_per_second: u64,
    /// The speed was measured.
    pub(super) measured: bool,
    /// Losses that every file survives while shards are under way; none before there are groups.
    pub(super) worst_margin: Option<i32>,
}

impl From<Forecast> for PlanBody {
    fn from(forecast: Forecast) -> Self {
        Self {
            groups: forecast.groups as u64,
            places: forecast.positions as u64,
            shards: forecast.shards,
            bytes: forecast.bytes,
            files: forecast.files,
            seconds: forecast.seconds,
            bytes_per_second: forecast.bytes_per_second,
            measured: forecast.measured,
            worst_margin: forecast.worst_margin,
        }
    }
}

/// How the cluster is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClusterBody {
    /// UUID.
    pub(super) cluster: String,
    /// `k+m`, of new files.
    pub(super) policy: String,
    /// Nodes by state.
    pub(super) nodes: BTreeMap<&'static str, u64>,
    /// Placement groups by margin.
    pub(super) groups: GroupsBody,
    /// Extents that lack shards.
    pub(super) short_extents: u64,
    /// In the store, of all users.
    pub(super) files: u64,
    /// Of their content.
    pub(super) bytes: u64,
    /// Of all nodes.
    pub(super) capacity_bytes: u64,
    /// Of all nodes.
    pub(super) free_bytes: u64,
    /// What works in the background.
    pub(super) background: Vec<Report>,
    /// The walk that reads every shard.
    pub(super) scrub: ScrubBody,
    /// The tag graph.
    pub(super) graph: GraphState,
    /// The monitor.
    pub(super) monitor: Reachable,
    /// Of this server.
    pub(super) version: &'static str,
}

/// The walk that has every shard read on its node, as far as it has come.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ScrubBody {
    /// Counts from 1; 0 before the first.
    pub(super) pass: u64,
    /// It is under way; else it has ended, and the next one begins when it is time.
    pub(super) running: bool,
    /// Extents that this pass has dealt with.
    pub(super) extents: u64,
    /// Shards that it found missing or damaged.
    pub(super) found: u64,
    /// Shards whose nodes were away or failed.
    pub(super) skipped: u64,
    /// RFC 3339; none before the first.
    pub(super) began_at: Option<String>,
    /// How long the last whole pass took.
    pub(super) last_pass_seconds: Option<f64>,
}

impl From<Walk> for ScrubBody {
    fn from(walk: Walk) -> Self {
        Self {
            pass: walk.pass,
            running: walk.pass > 0 && walk.ended_ms.is_none(),
            extents: walk.seen,
            found: walk.found,
            skipped: walk.skipped,
            began_at: (walk.pass > 0).then(|| rfc3339(walk.began_ms)),
            last_pass_seconds: walk.last_ms.map(|ms| ms as f64 / 1000.0),
        }
    }
}

/// Placement groups by margin.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GroupsBody {
    /// All of them.
    pub(super) total: u64,
    /// Of all groups and short extents; none before there are groups.
    pub(super) worst_margin: Option<i32>,
    /// Margin to groups.
    pub(super) by_margin: BTreeMap<i32, u32>,
}

/// The tag graph.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GraphState {
    /// `sql` or `neo4j`.
    pub(super) kind: &'static str,
    /// It answers.
    pub(super) reachable: bool,
}

/// Whether something answers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reachable {
    /// It does.
    pub(super) reachable: bool,
}

/// From one place to another.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FromTo {
    /// What.
    pub(super) from: String,
    /// Where to.
    pub(super) to: String,
}

/// `2026-11-21T03:30:00.123Z`.
pub(super) fn rfc3339(unix_ms: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! The gRPC service for storage nodes and the monitor: who belongs, who is heard, who may stop.

use crate::{
    catalog::{self, Catalog, CatalogError, Group, Intent, NodeRow},
    figures::Figures,
    graph::TagGraph,
    members::Members,
    plan,
    stop_proof::{self, StopProof},
};
use asterism_cluster::{
    GrpcShards, Shards,
    placement::{self, Candidate},
};
use asterism_erasure::Policy;
use asterism_proto::{
    ClusterId, NodeId,
    index::{
        self, AcquireStopRequest, AcquireStopResponse, HeartbeatRequest, HeartbeatResponse, JoinRequest,
        JoinResponse, NodeView, NodesRequest, NodesResponse, Part, SetIntentRequest, SetIntentResponse,
        TouchedRequest, TouchedResponse, acquire_stop_response::Verdict, membership_server::Membership,
    },
};
use asterism_service::{Secret, grpc, world::unix_ms};
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Mutex, time::timeout};
use tonic::{Request, Response, Status};

const TEXT_BYTES_MAX: usize = 255;
/// A tag graph that takes longer to say that it is there does not count as there; the monitor waits for this answer.
const PING: Duration = Duration::from_secs(1);
/// Nodes in one question.
const NODES_MAX: usize = 1024;

/// What the service works on.
pub struct MembershipService {
    /// This cluster.
    pub cluster: ClusterId,
    /// The truth.
    pub catalog: Catalog,
    /// Who is heard.
    pub members: Members,
    /// Connections to the nodes.
    pub shards: Arc<GrpcShards>,
    /// The same nodes, to be asked whether they are there.
    pub nodes: Arc<dyn Shards>,
    /// The tag graph, to be asked whether it is there.
    pub graph: Arc<dyn TagGraph>,
    /// What a node must show.
    pub join_token: Secret,
    /// Of new groups.
    pub policy: Policy,
    /// Groups are made when so many nodes have joined.
    pub nodes_expected: usize,
    /// How many are made.
    pub groups: u32,
    /// Of the background lease.
    pub epoch: Arc<AtomicU64>,
    /// One join or stop at a time: each sees what the one before it decided.
    pub deciding: Arc<Mutex<()>>,
    /// What the monitor is told of margins.
    pub figures: Figures,
}

#[tonic::async_trait]
impl Membership for MembershipService {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let peer = grpc::peer(&request)?;
        let join = request.into_inner();
        let node = own_id(&join.node, peer.id)?;
        if !self.join_token.matches(&join.join_token) {
            tracing::warn!(%node, name = join.name, "node refused: wrong join token");
            return Err(Status::permission_denied("the join token is not this cluster's"));
        }
        let _deciding = self.deciding.lock().await;
        let row = self.row(node, &join)?;
        // Before it is written down: a row whose address is none would stand in the way of every later start.
        self.shards
            .set_address(node, &row.address)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        self.catalog.upsert_node(&row).await.map_err(status)?;
        if matches!(row.intent, Intent::Up) {
            self.catalog.set_intent(node, Intent::Up).await.map_err(status)?;
        }
        self.members.set_rows(self.catalog.nodes().await.map_err(status)?);
        self.make_groups_once().await.map_err(status)?;
        tracing::info!(%node, name = %row.name, address = row.address, zone = row.zone, "node joined");
        let epoch = self.epoch.load(Ordering::Relaxed);
        Ok(Response::new(JoinResponse { cluster: self.cluster.to_string(), epoch }))
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        let peer = grpc::peer(&request)?;
        let mut said = request.into_inner();
        let node = own_id(&said.node, peer.id)?;
        for measured in [&mut said.load1, &mut said.uptime_seconds] {
            if !measured.is_finite() {
                *measured = 0.0;
            }
        }
        if said.boot.len() > TEXT_BYTES_MAX {
            return Err(Status::invalid_argument("the id of the boot is too long"));
        }
        let known = self.members.hear(node, said);
        Ok(Response::new(HeartbeatResponse { known, epoch: self.epoch.load(Ordering::Relaxed) }))
    }

    async fn nodes(&self, _request: Request<NodesRequest>) -> Result<Response<NodesResponse>, Status> {
        let nodes = self.members.all().into_iter().map(view).collect();
        let (groups, graph) = tokio::join!(self.summary(), timeout(PING, self.graph.ping()));
        let groups = match groups {
            Ok(groups) => Ok(groups),
            // The nodes are known all the same, and the monitor is to know what is wrong.
            Err(CatalogError::Unavailable(cause)) => Err(cause),
            Err(error) => return Err(status(error)),
        };
        let graph = graph.map_err(|_| "no answer in time".to_owned());
        let graph = graph.and_then(|answer| answer.map_err(|error| error.to_string()));
        let part = |name: &str, error: Option<String>| Part {
            name: name.into(),
            error: error
                .map(|error| if error.is_empty() { "it does not answer".into() } else { error })
                .unwrap_or_default(),
        };
        let parts = vec![
            part("database", groups.as_ref().err().map(ToString::to_string)),
            part("graph", graph.err()),
        ];
        Ok(Response::new(NodesResponse {
            cluster: self.cluster.to_string(),
            nodes,
            groups: groups.ok(),
            parts,
        }))
    }

    async fn touched(&self, request: Request<TouchedRequest>) -> Result<Response<TouchedResponse>, Status> {
        let nodes = request.into_inner().nodes;
        if nodes.len() > NODES_MAX {
            return Err(Status::invalid_argument("too many nodes"));
        }
        let nodes: HashSet<NodeId> = nodes.iter().map(|node| parse_id(node)).collect::<Result<_, _>>()?;
        let groups = self.members.groups();
        let touched: Vec<u32> = if nodes.is_empty() {
            let exceptions = stop_proof::exceptions(&self.catalog).await.map_err(status)?;
            let margins = crate::margin::count(&groups, &exceptions, self.policy, self.members.live());
            margins.below_floor.into_iter().collect()
        } else {
            let on_them = |group: &&Group| group.members.iter().any(|member| nodes.contains(member));
            groups.iter().filter(on_them).map(|group| group.id).collect()
        };
        let touched =
            self.catalog.files_touched(&touched, catalog::FILES_COUNTED_MAX).await.map_err(status)?;
        let catalog::Touched { files, owners, tags } = touched;
        Ok(Response::new(TouchedResponse { files, owners, tags }))
    }

    async fn acquire_stop(
        &self,
        request: Request<AcquireStopRequest>,
    ) -> Result<Response<AcquireStopResponse>, Status> {
        let request = request.into_inner();
        let node = parse_id(&request.node)?;
        let _deciding = self.deciding.lock().await;
        let proof = StopProof {
            catalog: &self.catalog,
            members: &self.members,
            nodes: &*self.nodes,
            policy: self.policy,
        };
        let verdict = proof.judge(node, self.epoch.load(Ordering::Relaxed)).await.map_err(status)?;
        if let (Verdict::Granted(_), false) = (&verdict, request.dry_run) {
            self.set(node, Intent::Stopping).await?;
            tracing::info!(%node, actor = request.actor, "stop granted");
        }
        Ok(Response::new(AcquireStopResponse { verdict: Some(verdict) }))
    }

    async fn set_intent(
        &self,
        request: Request<SetIntentRequest>,
    ) -> Result<Response<SetIntentResponse>, Status> {
        let request = request.into_inner();
        let node = parse_id(&request.node)?;
        let intent = from_wire(request.intent())?;
        let _deciding = self.deciding.lock().await;
        self.set(node, intent).await?;
        tracing::info!(%node, ?intent, reason = request.reason, "intent changed");
        Ok(Response::new(SetIntentResponse {}))
    }
}

impl MembershipService {
    /// The groups and their margins.
    async fn summary(&self) -> Result<index::GroupSummary, CatalogError> {
        let standing = self.figures.margins().await?;
        let margins = &standing.margins;
        Ok(index::GroupSummary {
            total: self.members.groups().len() as u32,
            short_extents: standing.short_extents,
            below_floor: margins.below_floor.len() as u32,
            worst_margin: margins.worst,
            by_margin: margins.by_margin.iter().map(|(margin, groups)| (*margin, *groups)).collect(),
        })
    }

    /// The node as it wants to be known. A node that was put to sleep and comes by itself is wanted again.
    fn row(&self, id: NodeId, join: &JoinRequest) -> Result<NodeRow, Status> {
        let name = join
            .name
            .parse()
            .map_err(|error: asterism_proto::IdError| Status::invalid_argument(error.to_string()))?;
        for (what, text) in
            [("address", &join.address), ("metrics address", &join.metrics_address), ("zone", &join.zone)]
        {
            if text.len() > TEXT_BYTES_MAX || text.chars().any(char::is_control) {
                return Err(Status::invalid_argument(format!("the {what} cannot be")));
            }
        }
        if i64::try_from(join.capacity_bytes).is_err() {
            return Err(Status::invalid_argument("the capacity cannot be"));
        }
        let known = self.members.get(id).map(|member| member.row);
        let intent = match known.as_ref().map(|row| row.intent) {
            Some(intent @ (Intent::Stopping | Intent::Draining | Intent::Retired)) => intent,
            _ => Intent::Up,
        };
        Ok(NodeRow {
            id,
            name,
            address: join.address.clone(),
            metrics_address: join.metrics_address.clone(),
            zone: join.zone.clone(),
            capacity: join.capacity_bytes,
            intent,
            joined_ms: known.map_or_else(unix_ms, |row| row.joined_ms),
        })
    }

    /// A node that was retired stays so whether it runs or not, until somebody wants it again.
    async fn set(&self, node: NodeId, intent: Intent) -> Result<(), Status> {
        if self.members.get(node).is_some_and(|member| member.row.intent == Intent::Retired) {
            return Ok(());
        }
        self.catalog.set_intent(node, intent).await.map_err(status)?;
        self.members.set_intent(node, intent);
        Ok(())
    }

    /// Makes the placement groups when enough nodes have come.
    async fn make_groups_once(&self) -> Result<(), CatalogError> {
        if !self.members.groups().is_empty() {
            return Ok(());
        }
        let candidates: Vec<Candidate> = self
            .members
            .all()
            .into_iter()
            .map(|member| Candidate {
                id: member.row.id,
                zone: member.row.zone,
                weight: plan::weight(None, member.row.capacity),
            })
            .collect();
        if candidates.len() < self.nodes_expected.max(self.policy.total()) {
            return Ok(());
        }
        if let Ok(groups) = placement::plan(&candidates, self.policy, self.groups) {
            let rows = (0..).zip(groups).map(|(id, members)| Group { id, members }).collect::<Vec<_>>();
            tracing::info!(groups = rows.len(), nodes = candidates.len(), policy = %self.policy, "placement groups made");
            self.catalog.create_groups(&rows).await?;
            self.members.set_groups(self.catalog.groups().await?);
        }
        Ok(())
    }
}

fn own_id(claimed: &str, certified: uuid::Uuid) -> Result<NodeId, Status> {
    let node = parse_id(claimed)?;
    if node != NodeId::from_bytes(*certified.as_bytes()) {
        return Err(Status::permission_denied("the certificate is another node's"));
    }
    Ok(node)
}

fn parse_id(text: &str) -> Result<NodeId, Status> {
    text.parse().map_err(|_| Status::invalid_argument("a node's id is a UUID"))
}

fn from_wire(intent: index::Intent) -> Result<Intent, Status> {
    match intent {
        index::Intent::Up => Ok(Intent::Up),
        index::Intent::Stopping => Ok(Intent::Stopping),
        index::Intent::Asleep => Ok(Intent::Asleep),
        index::Intent::Waking => Ok(Intent::Waking),
        index::Intent::Draining => Ok(Intent::Draining),
        index::Intent::Retired => Ok(Intent::Retired),
        index::Intent::Unspecified => Err(Status::invalid_argument("no intent given")),
    }
}

fn to_wire(intent: Intent) -> index::Intent {
    match intent {
        Intent::Up => index::Intent::Up,
        Intent::Stopping => index::Intent::Stopping,
        Intent::Asleep => index::Intent::Asleep,
        Intent::Waking => index::Intent::Waking,
        Intent::Draining => index::Intent::Draining,
        Intent::Retired => index::Intent::Retired,
    }
}

fn view(member: crate::members::Member) -> NodeView {
    NodeView {
        heartbeat_age_seconds: member.age().map(|age| age.as_secs_f64()),
        node: member.row.id.to_string(),
        name: member.row.name.to_string(),
        address: member.row.address,
        metrics_address: member.row.metrics_address,
        zone: member.row.zone,
        intent: to_wire(member.row.intent).into(),
        intent_reason: member.reason.unwrap_or_default(),
        measured: member.heard.map(|(_, said)| said),
    }
}

fn status(error: CatalogError) -> Status {
    match error {
        CatalogError::NotFound(what) => Status::not_found(format!("no such {what}")),
        CatalogError::Conflict(why) => Status::invalid_argument(why),
        CatalogError::Unavailable(_) | CatalogError::OutcomeUnknown(_) => {
            tracing::warn!(%error, "the database is not available");
            Status::unavailable("the database is not available")
        }
        error => {
            tracing::error!(?error, "membership call failed");
            Status::internal("the catalog failed")
        }
    }
}

#[cfg(test)]
mod tests;

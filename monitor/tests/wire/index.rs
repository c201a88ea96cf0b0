//! An index-server that only keeps members.

use asterism_proto::{
    NodeId,
    index::{
        AcquireStopRequest, AcquireStopResponse, GroupSummary, HeartbeatRequest, HeartbeatResponse, Intent,
        JoinRequest, JoinResponse, NodeView, NodesRequest, NodesResponse, SetIntentRequest,
        SetIntentResponse, StopCertificate, StopRefusal, TouchedRequest, TouchedResponse,
        acquire_stop_response::Verdict, membership_server::Membership,
    },
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};
use tonic::{Request, Response, Status};

/// One node as the index-server has it.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) metrics_address: String,
    pub(crate) intent: Intent,
    pub(crate) beat: Option<Instant>,
    /// The cluster does not stand without it.
    pub(crate) needed: bool,
}

#[derive(Default)]
pub(crate) struct Members {
    pub(crate) cluster: String,
    pub(crate) nodes: BTreeMap<NodeId, Member>,
    /// Of all groups.
    pub(crate) worst_margin: i32,
    /// Every intent that was noted, in order.
    pub(crate) noted: Vec<(String, Intent)>,
    pub(crate) actors: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct FakeIndex(Arc<Mutex<Members>>);

impl FakeIndex {
    pub(crate) fn members(&self) -> MutexGuard<'_, Members> {
        self.0.lock().unwrap()
    }

    pub(crate) fn beat(&self, id: NodeId) {
        if let Some(member) = self.members().nodes.get_mut(&id) {
            member.beat = Some(Instant::now());
        }
    }

    pub(crate) fn intent(&self, id: NodeId) -> Intent {
        self.members().nodes[&id].intent
    }

    pub(crate) fn set(&self, id: NodeId, intent: Intent) {
        self.members().nodes.get_mut(&id).unwrap().intent = intent;
    }
}

impl Members {
    fn note(&mut self, id: NodeId, intent: Intent) -> Result<(), Status> {
        let member = self.nodes.get_mut(&id).ok_or_else(|| Status::not_found("no such node"))?;
        member.intent = intent;
        self.noted.push((member.name.clone(), intent));
        Ok(())
    }
}

fn id(text: &str) -> Result<NodeId, Status> {
    text.parse().map_err(|_| Status::invalid_argument("not a UUID"))
}

fn granted() -> Verdict {
    Verdict::Granted(StopCertificate {
        groups_counted: 256,
        short_extents_counted: 3,
        worst_margin: 1,
        epoch: 7,
    })
}

fn refused() -> Verdict {
    Verdict::Refused(StopRefusal {
        groups_counted: 256,
        reason: "12 groups would fall below 5 live members".into(),
        groups_below_floor: 12,
        files_touched: 34,
        owners: vec!["ada".into()],
        tags: vec!["holiday".into()],
        worst_margin: 0,
    })
}

#[tonic::async_trait]
impl Membership for FakeIndex {
    async fn nodes(&self, _: Request<NodesRequest>) -> Result<Response<NodesResponse>, Status> {
        let members = self.members();
        let view = |(id, member): (&NodeId, &Member)| NodeView {
            node: id.to_string(),
            name: member.name.clone(),
            address: member.address.clone(),
            metrics_address: member.metrics_address.clone(),
            zone: "z1".into(),
            intent: member.intent.into(),
            intent_reason: String::new(),
            heartbeat_age_seconds: member.beat.map(|beat| beat.elapsed().as_secs_f64()),
            measured: Some(HeartbeatRequest {
                free_bytes: 700,
                capacity_bytes: 1000,
                pid: 5,
                ..Default::default()
            }),
        };
        Ok(Response::new(NodesResponse {
            cluster: members.cluster.clone(),
            nodes: members.nodes.iter().map(view).collect(),
            groups: Some(GroupSummary {
                total: 256,
                by_margin: [(2, 250), (-1, 6)].into(),
                short_extents: 4,
                below_floor: 0,
                worst_margin: Some(members.worst_margin),
            }),
            parts: Vec::new(),
        }))
    }

    async fn acquire_stop(
        &self,
        request: Request<AcquireStopRequest>,
    ) -> Result<Response<AcquireStopResponse>, Status> {
        let request = request.into_inner();
        let (id, mut members) = (id(&request.node)?, self.members());
        members.actors.push(request.actor);
        let needed = members.nodes.get(&id).ok_or_else(|| Status::not_found("no such node"))?.needed;
        let verdict = if needed { refused() } else { granted() };
        if !needed && !request.dry_run {
            members.note(id, Intent::Stopping)?;
        }
        Ok(Response::new(AcquireStopResponse { verdict: Some(verdict) }))
    }

    async fn set_intent(
        &self,
        request: Request<SetIntentRequest>,
    ) -> Result<Response<SetIntentResponse>, Status> {
        let request = request.into_inner();
        self.members().note(id(&request.node)?, request.intent())?;
        Ok(Response::new(SetIntentResponse {}))
    }

    async fn touched(&self, request: Request<TouchedRequest>) -> Result<Response<TouchedResponse>, Status> {
        let nodes = request.into_inner().nodes;
        let members = self.members();
        let names = nodes.iter().map(|node| Ok(members.nodes[&id(node)?].name.clone()));
        let tags = names.collect::<Result<Vec<String>, Status>>()?;
        Ok(Response::new(TouchedResponse { files: 7, owners: vec!["ada".into()], tags }))
    }

    async fn join(&self, _: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        Err(Status::unimplemented("the nodes of these tests are members already"))
    }

    async fn heartbeat(&self, _: Request<HeartbeatRequest>) -> Result<Response<HeartbeatResponse>, Status> {
        Err(Status::unimplemented("the nodes of these tests beat directly"))
    }
}

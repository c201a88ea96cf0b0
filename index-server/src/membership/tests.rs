use super::*;
use crate::{
    catalog::Role,
    graph::SqlGraph,
    test_bed::{ClusterBed, FREE_BYTES, noise, says},
    workers::Roster,
};
use asterism_proto::Role as ProcessRole;
use asterism_service::{Authority, Peer};
use tempfile::TempDir;
use tonic::Code;
use uuid::Uuid;

const TOKEN: &str = "the-join-token";

/// The service over a cluster of six.
struct Bed {
    service: MembershipService,
    cluster: ClusterBed,
    _authority: TempDir,
}

async fn start() -> Bed {
    let cluster = ClusterBed::start().await;
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::create(directory.path(), cluster.extents.cluster).unwrap();
    let identity = authority.issue(ProcessRole::IndexServer, Uuid::new_v4()).unwrap();
    let service = MembershipService {
        cluster: cluster.extents.cluster,
        catalog: cluster.catalog.clone(),
        members: cluster.members.clone(),
        shards: Arc::new(GrpcShards::new(Arc::new(identity))),
        nodes: Arc::clone(&cluster.extents.shards),
        graph: Arc::new(SqlGraph::new(cluster.catalog.database().clone())),
        join_token: Secret::new(TOKEN),
        policy: cluster.extents.policy,
        nodes_expected: 6,
        groups: 16,
        epoch: Arc::default(),
        deciding: Arc::default(),
        figures: Figures::new(
            cluster.catalog.clone(),
            cluster.members.clone(),
            cluster.extents.policy,
            Roster::default(),
        ),
    };
    Bed { service, cluster, _authority: directory }
}

fn id(number: u8) -> Uuid {
    Uuid::from_bytes([number; 16])
}

fn join(number: u8, name: &str) -> JoinRequest {
    JoinRequest {
        node: id(number).to_string(),
        name: name.into(),
        address: "127.0.0.1:9500".into(),
        metrics_address: "127.0.0.1:9600".into(),
        zone: "z1".into(),
        capacity_bytes: 1 << 30,
        join_token: TOKEN.into(),
    }
}

impl Bed {
    fn by<T>(&self, number: u8, message: T) -> Request<T> {
        let peer = Peer { cluster: self.service.cluster, role: ProcessRole::StorageNode, id: id(number) };
        let mut request = Request::new(message);
        request.extensions_mut().insert(peer);
        request
    }

    async fn joins(&self, number: u8, request: JoinRequest) -> Result<(), Status> {
        self.service.join(self.by(number, request)).await.map(drop)
    }

    #[track_caller]
    fn intent(&self, number: u8) -> Intent {
        self.service.members.get(NodeId::from_bytes([number; 16])).unwrap().row.intent
    }

    async fn stop(&self, number: u8, dry_run: bool) -> Verdict {
        let request = AcquireStopRequest { node: id(number).to_string(), dry_run, actor: "ada".into() };
        self.service.acquire_stop(Request::new(request)).await.unwrap().into_inner().verdict.unwrap()
    }

    async fn set_intent(&self, number: u8, intent: index::Intent) {
        let request =
            SetIntentRequest { node: id(number).to_string(), intent: intent.into(), reason: "test".into() };
        self.service.set_intent(Request::new(request)).await.unwrap();
    }
}

fn check(joined: Result<(), Status>, code: Code) {
    assert_eq!(joined.expect_err("it must be refused").code(), code);
}

#[tokio::test]
async fn only_who_knows_the_token_and_is_who_it_says_joins() {
    let bed = start().await;
    for token in ["", "the-join-toke", "the-join-token ", "THE-JOIN-TOKEN"] {
        let request = JoinRequest { join_token: token.into(), ..join(7, "n7") };
        check(bed.joins(7, request).await, Code::PermissionDenied);
    }
    check(bed.joins(8, join(7, "n7")).await, Code::PermissionDenied);
    let unknown = bed.service.join(Request::new(join(7, "n7"))).await.map(drop);
    check(unknown, Code::Unauthenticated);
    for request in [
        JoinRequest { node: "".into(), ..join(7, "n7") },
        JoinRequest { node: "../7".into(), ..join(7, "n7") },
    ] {
        check(bed.joins(7, request).await, Code::InvalidArgument);
    }
    assert!(bed.service.members.get(NodeId::from_bytes([7; 16])).is_none());
    bed.joins(7, join(7, "n7")).await.unwrap();
    let row =
        bed.cluster.catalog.nodes().await.unwrap().into_iter().find(|row| row.name.as_str() == "n7").unwrap();
    assert!(row.joined_ms > 1_600_000_000_000, "{row:?}");
}

#[tokio::test]
async fn the_name_of_another_node_and_what_cannot_be_are_refused() {
    let bed = start().await;
    check(bed.joins(7, join(7, "n1")).await, Code::InvalidArgument);
    for name in ["", "a b", "../x", "<b>", "n\n7", &"n".repeat(300)] {
        check(bed.joins(7, join(7, name)).await, Code::InvalidArgument);
    }
    let long = "z".repeat(300);
    for (address, zone) in [
        ("127.0.0.1:1\r\nx", "z"),
        ("not an address", "z"),
        ("", "z"),
        (&long, "z"),
        ("127.0.0.1:1", &long),
        ("127.0.0.1:1", "a\0"),
    ] {
        let request = JoinRequest { address: address.into(), zone: zone.into(), ..join(7, "n7") };
        check(bed.joins(7, request).await, Code::InvalidArgument);
    }
    let request = JoinRequest { capacity_bytes: u64::MAX, ..join(7, "n7") };
    check(bed.joins(7, request).await, Code::InvalidArgument);
    assert_eq!(bed.cluster.catalog.nodes().await.unwrap().len(), 6, "nothing of it was written down");
}

#[tokio::test]
async fn a_node_that_comes_by_itself_is_wanted_unless_it_is_to_go() {
    let bed = start().await;
    for (before, after) in [
        (index::Intent::Up, Intent::Up),
        (index::Intent::Asleep, Intent::Up),
        (index::Intent::Waking, Intent::Up),
        (index::Intent::Stopping, Intent::Stopping),
        (index::Intent::Draining, Intent::Draining),
        (index::Intent::Retired, Intent::Retired),
    ] {
        bed.set_intent(1, before).await;
        bed.joins(1, join(1, "n1")).await.unwrap();
        assert_eq!(bed.intent(1), after, "{before:?}");
        let rows = bed.cluster.catalog.nodes().await.unwrap();
        assert_eq!(rows.iter().find(|row| row.name.as_str() == "n1").unwrap().intent, after, "{before:?}");
    }
    assert_eq!(bed.service.members.by_name(&"n1".parse().unwrap()).unwrap().row.address, "127.0.0.1:9500");
}

#[tokio::test]
async fn heartbeats_are_for_the_node_itself_and_believed_within_reason() {
    let bed = start().await;
    let beat = async |by: u8, said: HeartbeatRequest| bed.service.heartbeat(bed.by(by, said)).await;
    let said = |number: u8| HeartbeatRequest { node: id(number).to_string(), ..says(FREE_BYTES) };
    assert!(beat(1, said(1)).await.unwrap().into_inner().known);
    assert!(!beat(9, said(9)).await.unwrap().into_inner().known, "it must join first");
    assert_eq!(beat(2, said(1)).await.unwrap_err().code(), Code::PermissionDenied);
    let long = HeartbeatRequest { boot: "b".repeat(1000), ..said(1) };
    assert_eq!(beat(1, long).await.unwrap_err().code(), Code::InvalidArgument);
    beat(1, HeartbeatRequest { load1: f64::NAN, uptime_seconds: f64::INFINITY, ..said(1) }).await.unwrap();
    let member = bed.service.members.get(NodeId::from_bytes([1; 16])).unwrap();
    let (_, heard) = member.heard.unwrap();
    assert_eq!((heard.load1, heard.uptime_seconds), (0.0, 0.0));
}

#[tokio::test]
async fn groups_are_made_once_when_enough_nodes_are_there() {
    let (directory, bed) = (tempfile::tempdir().unwrap(), start().await);
    let url = format!("sqlite://{}", directory.path().join("empty.db").display());
    let catalog = Catalog::open(&url).await.unwrap();
    let service =
        MembershipService { catalog, members: Members::default(), nodes_expected: 7, ..bed.service };
    let bed = Bed { service, ..bed };
    for number in 1..=7 {
        assert!(bed.service.members.groups().is_empty(), "{number} nodes are not enough");
        bed.joins(number, join(number, &format!("n{number}"))).await.unwrap();
    }
    let groups = bed.service.members.groups();
    assert_eq!(groups.len(), 16);
    bed.joins(8, join(8, "n8")).await.unwrap();
    assert_eq!(*bed.service.members.groups(), *groups, "they stay as they are");
    assert_eq!(bed.service.catalog.groups().await.unwrap(), *groups);
}

#[tokio::test]
async fn a_node_may_stop_when_every_file_survives_it() {
    let bed = start().await;
    let Verdict::Granted(dry) = bed.stop(1, true).await else { panic!("it is not needed") };
    assert_eq!((dry.groups_counted, dry.worst_margin, dry.short_extents_counted), (16, 1, 0));
    assert_eq!(bed.intent(1), Intent::Up, "a dry run takes no lease");
    assert!(matches!(bed.stop(1, false).await, Verdict::Granted(_)));
    assert_eq!(bed.intent(1), Intent::Stopping);
    assert!(!bed.service.members.writable(0)(NodeId::from_bytes([1; 16])));
    let unknown = AcquireStopRequest { node: id(99).to_string(), ..Default::default() };
    assert_eq!(bed.service.acquire_stop(Request::new(unknown)).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn the_second_stop_is_refused_with_what_it_would_cost() {
    let bed = start().await;
    bed.cluster.user("ada", Role::Editor).await;
    let entry = bed.cluster.store("ada", "/a", noise(100_000, 1)).await;
    let tag = crate::catalog::Tag::new("user", "holiday").unwrap();
    bed.cluster.catalog.add_user_tag(entry.id, &tag, &"ada".parse().unwrap()).await.unwrap();
    assert!(matches!(bed.stop(1, false).await, Verdict::Granted(_)));
    let Verdict::Refused(refusal) = bed.stop(2, false).await else { panic!("two of six are too many") };
    assert_eq!((refusal.groups_below_floor, refusal.files_touched, refusal.worst_margin), (16, 1, 0));
    assert_eq!((refusal.owners, refusal.tags), (vec!["ada".to_owned()], vec!["holiday".to_owned()]));
    assert!(
        refusal.reason.contains("n2 is needed") && refusal.reason.contains("the next loss"),
        "{}",
        refusal.reason
    );
    assert_eq!(bed.intent(2), Intent::Up);
    bed.set_intent(1, index::Intent::Up).await;
    assert!(matches!(bed.stop(2, false).await, Verdict::Granted(_)), "the first stop was given up");
}

#[tokio::test]
async fn a_message_can_name_whose_files_a_fault_touches() {
    let bed = start().await;
    bed.cluster.user("ada", Role::Editor).await;
    let entry = bed.cluster.store("ada", "/a", noise(100_000, 1)).await;
    let tag = crate::catalog::Tag::new("user", "holiday").unwrap();
    bed.cluster.catalog.add_user_tag(entry.id, &tag, &"ada".parse().unwrap()).await.unwrap();
    let touched = async |nodes: Vec<String>| {
        bed.service.touched(Request::new(TouchedRequest { nodes })).await.map(Response::into_inner)
    };
    assert_eq!(touched(vec![]).await.unwrap().files, 0, "nothing is below the floor");
    let all = touched(vec![id(1).to_string()]).await.unwrap();
    assert_eq!((all.files, all.owners, all.tags), (1, vec!["ada".to_owned()], vec!["holiday".to_owned()]));
    assert_eq!(touched(vec![id(99).to_string()]).await.unwrap().files, 0, "nobody knows this node");
    assert_eq!(touched(vec!["n1".into()]).await.unwrap_err().code(), Code::InvalidArgument);
    let summary = bed.service.nodes(Request::new(NodesRequest {})).await.unwrap().into_inner();
    assert!(summary.parts.iter().all(|part| part.error.is_empty()), "{:?}", summary.parts);
}

#[tokio::test]
async fn nodes_that_died_a_moment_ago_do_not_count() {
    let bed = start().await;
    bed.cluster.kill(0);
    let Verdict::Granted(certificate) = bed.stop(1, true).await else { panic!("it is dead already") };
    assert_eq!(certificate.worst_margin, 1);
    assert!(matches!(bed.stop(2, true).await, Verdict::Refused(_)));
    bed.cluster.kill(1);
    let Verdict::Refused(refusal) = bed.stop(3, false).await else { panic!("three of six would be gone") };
    assert_eq!((refusal.groups_below_floor, refusal.worst_margin), (16, -1));
    assert_eq!(bed.intent(3), Intent::Up);
}

#[tokio::test]
async fn of_two_stops_at_once_one_is_refused() {
    let bed = start().await;
    let verdicts = tokio::join!(bed.stop(1, false), bed.stop(2, false), bed.stop(3, false));
    let granted = [verdicts.0, verdicts.1, verdicts.2]
        .iter()
        .filter(|verdict| matches!(verdict, Verdict::Granted(_)))
        .count();
    assert_eq!(granted, 1);
}

#[tokio::test]
async fn what_is_short_already_counts() {
    let bed = start().await;
    bed.cluster.user("ada", Role::Editor).await;
    bed.cluster.store("ada", "/a", noise(100_000, 2)).await;
    let extent = bed.cluster.extents_of("ada", "/a").await.remove(0);
    bed.cluster.catalog.mark_short(extent.id, 0, extent.nodes[0]).await.unwrap();
    let holder = |slot: usize| extent.nodes[slot].as_bytes()[0];
    assert!(matches!(bed.stop(holder(0), true).await, Verdict::Granted(_)), "its shard is missing anyway");
    let Verdict::Refused(refusal) = bed.stop(holder(1), true).await else {
        panic!("one shard is missing already")
    };
    assert_eq!((refusal.groups_below_floor, refusal.worst_margin, refusal.files_touched > 0), (1, 0, true));
    bed.cluster.catalog.mark_short(extent.id, 2, extent.nodes[2]).await.unwrap();
    bed.cluster.catalog.mark_short(extent.id, 3, extent.nodes[3]).await.unwrap();
    let Verdict::Refused(refusal) = bed.stop(holder(1), true).await else { panic!("it is unreadable") };
    assert!(refusal.reason.contains("unreadable"), "{}", refusal.reason);
}

#[tokio::test]
async fn the_monitor_sees_all_nodes_and_margins() {
    let bed = start().await;
    bed.set_intent(3, index::Intent::Asleep).await;
    bed.cluster.bury(4).await;
    let answer = bed.service.nodes(Request::new(NodesRequest {})).await.unwrap().into_inner();
    assert_eq!(answer.nodes.len(), 6);
    let silent = answer.nodes.iter().find(|node| node.name == "n5").unwrap();
    assert_eq!((silent.heartbeat_age_seconds, silent.measured.as_ref()), (None, None));
    let asleep = answer.nodes.iter().find(|node| node.name == "n3").unwrap();
    assert_eq!(asleep.intent(), index::Intent::Asleep);
    assert_eq!(answer.groups.unwrap().by_margin.into_iter().collect::<Vec<_>>(), [(1, 16)]);
}

#[tokio::test]
async fn a_node_that_is_being_drained_is_not_stopped_before_it_is_empty() {
    let mut bed = start().await;
    bed.cluster.join(7, "z1").await;
    bed.set_intent(1, index::Intent::Draining).await;
    let Verdict::Refused(refusal) = bed.stop(1, false).await else { panic!("it holds everything yet") };
    assert!(refusal.reason.contains("being drained"), "{}", refusal.reason);
    bed.cluster.settle().await;
    assert!(matches!(bed.stop(1, true).await, Verdict::Granted(_)));
}

#[tokio::test]
async fn a_retired_node_stays_retired_whether_it_runs_or_not() {
    let mut bed = start().await;
    let node = bed.cluster.join(7, "z1").await;
    bed.set_intent(7, index::Intent::Retired).await;
    for intent in [index::Intent::Stopping, index::Intent::Asleep, index::Intent::Waking, index::Intent::Up] {
        bed.set_intent(7, intent).await;
        assert_eq!(bed.cluster.members.get(node).unwrap().row.intent, Intent::Retired);
    }
}

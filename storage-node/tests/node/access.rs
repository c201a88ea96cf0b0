//! Who may call: a certificate of this cluster and the right role, or nothing.

use crate::{
    bed::{Bed, Client, Node, TOKEN},
    sample::Sample,
};
use asterism_proto::{
    ClusterId, Role,
    storage::{DeleteRequest, GetRequest, ListRequest, StatRequest, VerifyRequest},
};
use asterism_service::Authority;
use tonic::{Code, Status, transport::Channel};
use uuid::Uuid;

/// Calls every method; the code of each answer.
async fn call_all(client: &Client, sample: &Sample) -> Vec<(&'static str, Code)> {
    fn code<T>(result: Result<T, Status>) -> Code {
        result.err().map_or(Code::Ok, |status| status.code())
    }
    let mut client = client.clone();
    let key = Some(sample.key());
    let put = client.put(tokio_stream::iter(sample.messages())).await;
    let get = client.get(GetRequest { key, first_cell: 0, cell_count: 0 }).await;
    let list = client.list(ListRequest { after: None }).await;
    let verify = client.verify(VerifyRequest { keys: vec![] }).await;
    let stat = client.stat(StatRequest {}).await;
    let delete = client.delete(DeleteRequest { keys: vec![], epoch: 1 }).await;
    vec![
        ("put", code(put)),
        ("get", code(get)),
        ("list", code(list)),
        ("verify", code(verify)),
        ("stat", code(stat)),
        ("delete", code(delete)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_do_its_part_alone() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let sample = Sample::small(bed.cluster());
    for (role, allowed) in [
        (Role::IndexServer, &["put", "get", "list", "verify", "stat", "delete"][..]),
        (Role::Monitor, &["stat"]),
        (Role::Operator, &["stat"]),
        (Role::StorageNode, &[]),
    ] {
        for (method, code) in call_all(&bed.caller(&node, role), &sample).await {
            let expected = if allowed.contains(&method) { Code::Ok } else { Code::PermissionDenied };
            assert_eq!(code, expected, "{role} calls {method}");
        }
    }
    node.stop().await;
}

fn refused_by_tls(codes: &[(&'static str, Code)]) {
    for (method, code) in codes {
        let cut_off = matches!(code, Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled);
        assert!(cut_off, "{method}: {code:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_refused() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let sample = Sample::small(bed.cluster());
    for cluster in [bed.cluster(), ClusterId::random()] {
        // Even one that names the same cluster, node and role.
        let dir = tempfile::tempdir().unwrap();
        let stranger = Authority::create(dir.path(), cluster).unwrap();
        stranger.issue(Role::IndexServer, Uuid::new_v4()).unwrap().save(&dir.path().join("i")).unwrap();
        // It trusts our authority, so that the refusal is the node's, not its own.
        std::fs::copy(bed.path().join("ca.pem"), dir.path().join("i/ca.pem")).unwrap();
        let Ok(identity) = asterism_service::Identity::load(&dir.path().join("i")) else {
            assert_ne!(
                cluster,
                bed.cluster(),
                "an identity that does not fit its authority is not even loaded"
            );
            continue;
        };
        refused_by_tls(&call_all(&node.client(&identity), &sample).await);
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_certificate_is_refused() {
    let bed = Bed::new();
    let node = bed.start("n1").await;
    let sample = Sample::small(bed.cluster());
    let authority = std::fs::read_to_string(bed.path().join("ca.pem")).unwrap();
    let certificate = tonic::transport::Certificate::from_pem(authority);
    let name = asterism_service::identity::role_name(bed.cluster(), Role::StorageNode);
    let tls = tonic::transport::ClientTlsConfig::new().ca_certificate(certificate).domain_name(name);
    let endpoint = Channel::from_shared(format!("https://{}", node.grpc)).unwrap().tls_config(tls).unwrap();
    refused_by_tls(&call_all(&Client::new(endpoint.connect_lazy()), &sample).await);
    let plain = Channel::from_shared(format!("http://{}", node.grpc)).unwrap();
    refused_by_tls(&call_all(&Client::new(plain.connect_lazy()), &sample).await);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_wants_another_node_does_not_talk_to_this_one() {
    let bed = Bed::new();
    let (one, other) = (bed.start("n1").await, bed.start("n2").await);
    let identity = bed.identity(Role::IndexServer);
    let crossed = Client::new(
        asterism_service::grpc::channel(&one.grpc.to_string(), &identity, other.target()).unwrap(),
    );
    refused_by_tls(&call_all(&crossed, &Sample::small(bed.cluster())).await);
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_does_not_start_under_another_role_or_with_an_open_key() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::new();
    let refused = async |config| {
        let error = asterism_storage_node::NodeProcess::bind(&config).await.err().unwrap();
        format!("{error:#}")
    };
    let config = bed.config("n1");
    bed.identity(Role::Monitor).save(&config.identity_dir).unwrap();
    assert!(refused(config).await.contains("is for a monitor"));
    let config = bed.config("n2");
    let key = config.identity_dir.join("key.pem");
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused(config).await.contains("open to others"));
    let config = bed.config("n3");
    std::fs::set_permissions(&config.join_token_file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let sentence = refused(config).await;
    assert!(sentence.contains("open to others") && !sentence.contains(TOKEN), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_one_clear_sentence() {
    let bed = Bed::new();
    let node: Node = bed.start("n1").await;
    let mut config = bed.config("n2");
    config.listen = node.grpc.to_string();
    let error = asterism_storage_node::NodeProcess::bind(&config).await.err().unwrap();
    assert!(format!("{error:#}").contains(&format!("listen: cannot listen on {}", node.grpc)));
    node.stop().await;
}

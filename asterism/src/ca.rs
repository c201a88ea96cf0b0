//! `asterism ca`: the cluster's certificates, for machines that `asterism up` does not set up.

use crate::args::Ca;
use asterism_proto::{ClusterId, Role};
use asterism_service::{Authority, Identity, identity::Peer};
use serde_json::json;
use std::path::Path;
use uuid::Uuid;

pub(crate) fn run(command: Ca, as_json: bool) -> anyhow::Result<()> {
    let (cluster, peer) = match command {
        Ca::Init { dir } => {
            std::fs::create_dir_all(&dir)?;
            (Authority::create(&dir, ClusterId::random())?.cluster(), None)
        }
        Ca::Issue { dir, role, out } => issue(&dir, role, &out)?,
        Ca::Show { dir } if dir.join("ca.key").exists() => (Authority::open(&dir)?.cluster(), None),
        Ca::Show { dir } => known(Identity::load(&dir)?.peer()),
    };
    let facts = json!({
        "cluster": cluster.to_string(),
        "role": peer.map(|peer| peer.role.to_string()),
        "id": peer.map(|peer| peer.id.to_string()),
    });
    crate::cli::output::print(as_json, &facts, || match peer {
        Some(peer) => format!("{peer} of cluster {cluster}"),
        None => format!("certificate authority of cluster {cluster}"),
    })
}

fn issue(dir: &Path, role: Role, out: &Path) -> anyhow::Result<(ClusterId, Option<Peer>)> {
    anyhow::ensure!(!out.join("key.pem").exists(), "{} holds an identity already", out.display());
    let identity = Authority::open(dir)?.issue(role, Uuid::new_v4())?;
    identity.save(out)?;
    Ok(known(identity.peer()))
}

fn known(peer: Peer) -> (ClusterId, Option<Peer>) {
    (peer.cluster, Some(peer))
}

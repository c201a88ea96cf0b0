//! The connection breaks at the commit: it has happened or it has not, and the answer says which.

use super::{
    mariadb::{QUIET, server},
    *,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Stands between the catalog and the database, and cuts one connection when a `COMMIT` comes by.
struct Cutter {
    port: u16,
    armed: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Cutter {
    /// Cuts after the database has got the commit, or before.
    async fn start(database: u16, after: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let armed = Arc::new(AtomicBool::new(false));
        let trap = Arc::clone(&armed);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", database)).await.unwrap();
                tokio::spawn(forward(client, server, Arc::clone(&trap), after));
            }
        });
        Self { port, armed, task }
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut client: TcpStream, mut server: TcpStream, armed: Arc<AtomicBool>, after: bool) {
    let (mut up, mut down) = ([0; 65536], [0; 65536]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(bytes @ 1..) = read else { return };
                let commit = up[..bytes].ends_with(b"\x03COMMIT"); // The whole packet of a plain statement.
                let cut = commit && armed.swap(false, Ordering::SeqCst);
                if (!cut || after) && server.write_all(&up[..bytes]).await.is_err() {
                    return;
                }
                if cut {
                    // The answer is read, so the commit is over, but nobody gets it.
                    if after {
                        let _ = server.read(&mut down).await;
                    }
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(bytes @ 1..) = read else { return };
                if client.write_all(&down[..bytes]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn check(name: &str, after: bool) {
    let _quiet = QUIET.read().await;
    let server = server().await;
    let url = server.fresh(name).await;
    let cutter = Cutter::start(server.port(), after).await;
    let through = url.replace(&server.port().to_string(), &cutter.port.to_string());
    let catalog = Catalog::open(&through).await.unwrap();
    let ada = ada(&catalog).await;
    cluster_of(&catalog, 6).await;
    let file = stored(&ada, "/f", &[0, 1]);
    cutter.armed.store(true, Ordering::SeqCst);
    let outcome = catalog.commit_file(&file).await;
    assert!(!cutter.armed.load(Ordering::SeqCst), "nothing was cut");
    if after {
        let committed = outcome.unwrap();
        assert!(committed.created);
        assert_eq!(catalog.stat(&ada, &path("/f")).await.unwrap(), committed.entry);
    } else {
        refused!(outcome, CatalogError::Unavailable(_));
        refused!(catalog.stat(&ada, &path("/f")).await, CatalogError::NotFound(_));
        put(&catalog, &file).await;
    }
    // Of any other change it is said that it is unknown.
    cutter.armed.store(true, Ordering::SeqCst);
    refused!(catalog.mkdir(&ada, &path("/d"), false).await, CatalogError::OutcomeUnknown(_));
    assert_eq!(catalog.stat(&ada, &path("/d")).await.is_ok(), after);
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found_again() {
    check("answer_lost", true).await;
}

#[tokio::test]
async fn a_commit_that_was_lost_is_known_to_be_lost() {
    check("commit_lost", false).await;
}

//! A supervisor that starts and stops the nodes of a test, over the real line protocol.

use crate::node::FakeNode;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

/// What the supervisor does with an order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Obedient,
    /// Says that it cannot.
    Unable,
    /// Says that it did, and did not.
    Lying,
}

pub(crate) struct Supervisor {
    pub(crate) socket: PathBuf,
    mood: Arc<Mutex<Mood>>,
    orders: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Supervisor {
    pub(crate) fn start(dir: &Path, nodes: Vec<Arc<FakeNode>>) -> Self {
        let socket = dir.join("supervisor.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let mood = Arc::new(Mutex::new(Mood::Obedient));
        let orders = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn({
            let (mood, orders) = (Arc::clone(&mood), Arc::clone(&orders));
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let mood = *mood.lock().unwrap();
                    let order = serve(stream, &nodes, mood).await;
                    orders.lock().unwrap().push(order);
                }
            }
        });
        Self { socket, mood, orders, task }
    }

    pub(crate) fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(crate) fn orders(&self) -> Vec<String> {
        self.orders.lock().unwrap().clone()
    }
}

async fn serve(stream: UnixStream, nodes: &[Arc<FakeNode>], mood: Mood) -> String {
    let mut stream = BufReader::new(stream);
    let mut order = String::new();
    stream.read_line(&mut order).await.unwrap();
    let order = order.trim_end().to_owned();
    let (verb, name) = order.split_once(' ').unwrap();
    let answer = match nodes.iter().find(|node| node.name == name) {
        None => format!("error there is no node {name}"),
        Some(_) if mood == Mood::Unable => "error the disk is on fire".into(),
        Some(node) => {
            match verb {
                "stop" if mood == Mood::Obedient => node.kill().await,
                "wake" if mood == Mood::Obedient => node.start().await,
                _ => {}
            }
            if verb == "stop" { "ok stopped".to_owned() } else { "ok running 77".to_owned() }
        }
    };
    stream.write_all(format!("{answer}\n").as_bytes()).await.unwrap();
    order
}

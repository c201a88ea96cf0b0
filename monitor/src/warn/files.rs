//! Names the files that a message touches, as soon as an index-server can be asked.

use crate::{
    board::Board,
    collect::Membership,
    messages::{Files, Filter, Message, Messages},
    rules::Rule,
    text::one_line,
};
use asterism_proto::NodeId;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// One who was asked in vain is asked again after this long.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// Owners and tags come from elsewhere.
const NAMES_MAX: usize = 10;
const NAME_CHARS_MAX: usize = 100;
/// Questions in a row; the others come in the next round.
const ROUND_MAX: usize = 64;

/// Asks for every open message that says nothing of files yet, until `stop`.
pub async fn name_files(
    board: Arc<Board>,
    membership: Arc<Membership>,
    messages: Messages,
    stop: CancellationToken,
) {
    let mut changes = messages.changes();
    loop {
        let round = round(&board, &membership, &messages);
        let complete = tokio::select! {
            complete = round => complete,
            () = stop.cancelled() => return,
        };
        let again = Instant::now() + RETRY_PAUSE;
        tokio::select! {
            // What is complete has nothing to ask before a message changes.
            changed = changes.changed(), if complete => if changed.is_err() { return },
            _ = timeout_at(again, std::future::pending::<()>()), if !complete => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Whether nothing is left to ask.
async fn round(board: &Board, membership: &Membership, messages: &Messages) -> bool {
    let filter = Filter { open: true, all: true, ..Filter::default() };
    let open = match messages.list(&filter).await {
        Ok(open) => open,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "messages cannot be read");
            return false;
        }
    };
    // Many messages ask the same: a dead zone, and what hangs under it.
    let mut known: HashMap<Vec<NodeId>, Files> = HashMap::new();
    for message in open.iter().filter(|message| asks(message)).take(ROUND_MAX) {
        let nodes = nodes(board, message);
        if nodes.is_empty() && !message.labels.is_empty() {
            continue;
        }
        if !known.contains_key(&nodes) {
            match membership.touched(&nodes).await {
                Ok(answer) => {
                    let names = |names: Vec<String>| -> Vec<String> {
                        names.iter().take(NAMES_MAX).map(|name| one_line(name, NAME_CHARS_MAX)).collect()
                    };
                    let files =
                        Files { count: answer.files, owners: names(answer.owners), tags: names(answer.tags) };
                    known.insert(nodes.clone(), files);
                }
                Err(error) => {
                    tracing::debug!(%error, "no index-server says which files are touched");
                    return false;
                }
            }
        }
        if let Err(error) = messages.set_files(message.id, &known[&nodes]).await {
            tracing::error!(error = &error as &dyn std::error::Error, "messages cannot be written");
            return false;
        }
    }
    open.iter().filter(|message| asks(message)).count() <= ROUND_MAX
}

fn asks(message: &Message) -> bool {
    message.files.is_none() && Rule::named(&message.name).is_some_and(|rule| rule.touches_files)
}

/// The nodes that the message is about: one, those of a zone, or none for the cluster as a whole.
fn nodes(board: &Board, message: &Message) -> Vec<NodeId> {
    let (node, zone) = (message.labels.get("node"), message.labels.get("zone"));
    let nodes = board.nodes().into_iter();
    match (node, zone) {
        (Some(name), _) => nodes.filter(|node| node.name.as_str() == name).map(|node| node.id).collect(),
        (None, Some(zone)) => nodes.filter(|node| node.zone == *zone).map(|node| node.id).collect(),
        (None, None) => Vec::new(),
    }
}

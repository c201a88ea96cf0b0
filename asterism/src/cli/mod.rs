//! The client commands.

mod cluster;
mod files;
mod fsck;
mod login;
mod messages;
pub(crate) mod output;
mod tags;

use crate::args::{Client as Command, Connection, Node};
use asterism_client::Client;
use std::time::Duration;

/// A server that has not said by then that it is alive is not waited for, if the monitor can be asked.
const ANSWER: Duration = Duration::from_secs(3);
const DEFAULT_SERVER: &str = "http://127.0.0.1:8420";

pub(crate) async fn run(command: Command, connection: &Connection) -> anyhow::Result<()> {
    let json = connection.json;
    if let Command::Login { url, user, password_file } = &command {
        return login::run(url, user, password_file.as_deref(), json).await;
    }
    let client = answering(connect(connection)?, &command, connection).await?;
    match command {
        Command::Login { .. } => unreachable!("handled above"),
        Command::Put { paths } => files::put(&client, &paths, json).await,
        Command::Get { path, output } => files::get(&client, &path, output, json).await,
        Command::Ls { path } => files::ls(&client, &path, json).await,
        Command::Mv { from, to } => files::mv(&client, &from, &to, json).await,
        Command::Rm { paths } => files::rm(&client, &paths, json).await,
        Command::Restore { path } => files::restore(&client, path.as_deref(), json).await,
        Command::Mkdir { path } => files::mkdir(&client, &path, json).await,
        Command::Find { query, all } => tags::find(&client, &query, all, json).await,
        Command::Tag(command) => tags::tag(&client, command, json).await,
        Command::Related { tag } => tags::related(&client, &tag, json).await,
        Command::Similar { path } => tags::similar(&client, &path, json).await,
        Command::Status => cluster::status(&client, json).await,
        Command::Messages { unread, all, read } => messages::run(&client, unread, all, &read, json).await,
        Command::Fsck { repair, force } => fsck::run(&client, repair, force, json).await,
        Command::Node(command) => cluster::node(&client, command, json).await,
    }
}

/// The monitor in the server's place, if the server does not answer and the monitor can.
async fn answering(client: Client, command: &Command, connection: &Connection) -> anyhow::Result<Client> {
    let Some(monitor) = &connection.monitor else { return Ok(client) };
    let shared = matches!(command, Command::Messages { .. })
        || matches!(command, Command::Node(Node::Ls | Node::Show { .. } | Node::Stop(_) | Node::Wake(_)));
    if !shared || client.answers_within(ANSWER).await {
        return Ok(client);
    }
    eprintln!("{} does not answer; the monitor at {monitor} answers for it", client.server());
    Ok(client.at(monitor)?)
}

/// Server and token: from the arguments or environment, else the saved login.
fn connect(connection: &Connection) -> anyhow::Result<Client> {
    let saved = login::saved()?;
    let server = connection.server.clone().or_else(|| saved.as_ref().map(|saved| saved.server.clone()));
    let server = server.unwrap_or_else(|| DEFAULT_SERVER.into());
    // A saved token goes only to the server that it was saved for.
    let own = saved.filter(|saved| saved.server == server.trim_end_matches('/')).map(|saved| saved.token);
    Ok(Client::new(&server, connection.token.clone().or(own))?)
}

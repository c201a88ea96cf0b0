//! `asterism login`: a password once, a token from then on.

use crate::cli::output;
use anyhow::Context;
use asterism_client::Client;
use asterism_service::{Secret, durable, secret};
use serde::{Deserialize, Serialize};
use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

/// What is remembered between commands.
#[derive(Serialize, Deserialize)]
pub(crate) struct Saved {
    pub(crate) server: String,
    pub(crate) token: String,
}

pub(crate) async fn run(
    url: &str,
    user: &str,
    password_file: Option<&Path>,
    json: bool,
) -> anyhow::Result<()> {
    let mut client = Client::new(url, None)?;
    let password = match password_file {
        Some(path) => Secret::read(path)?,
        None => ask(user, client.server())?,
    };
    let session = client.log_in(user, password.expose()).await?;
    let token = client.create_token("command line").await?;
    let server = client.server().to_owned();
    save(&Saved { server: server.clone(), token })?;
    let facts = serde_json::json!({ "server": server, "user": session.user, "role": session.role });
    output::print(json, &facts, || format!("logged in to {server} as {} ({})", session.user, session.role))
}

/// The saved login, if there is one.
pub(crate) fn saved() -> anyhow::Result<Option<Saved>> {
    let Some(path) = path().filter(|path| path.exists()) else { return Ok(None) };
    let text = secret::read_private(&path)?;
    Ok(Some(
        serde_json::from_str(&text)
            .with_context(|| format!("{} is not usable; log in again", path.display()))?,
    ))
}

fn save(login: &Saved) -> anyhow::Result<()> {
    let path = path().context("neither HOME nor XDG_CONFIG_HOME is set: nowhere to save the login")?;
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    durable::replace(&path, serde_json::to_string(login)?.as_bytes(), 0o600)?;
    Ok(())
}

fn path() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")))?;
    Some(config.join("asterism").join("login.json"))
}

/// Asks on a terminal without showing what is typed; else reads a line from standard input.
fn ask(user: &str, server: &str) -> anyhow::Result<Secret> {
    let stdin = io::stdin();
    let mut line = String::new();
    if stdin.is_terminal() {
        eprint!("password of {user} at {server}: ");
        io::stderr().flush()?;
        let shown = rustix::termios::tcgetattr(&stdin)?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(rustix::termios::LocalModes::ECHO);
        rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Now, &hidden)?;
        let read = stdin.read_line(&mut line);
        rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Now, &shown)?;
        eprintln!();
        read?;
    } else {
        stdin.read_line(&mut line)?;
    }
    Ok(Secret::new(line.trim_end_matches(['\n', '\r'])))
}

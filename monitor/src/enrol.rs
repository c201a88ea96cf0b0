//! `monitor enrol`: the explicit act by which a host is trusted.

use anyhow::{Context, bail, ensure};
use asterism_monitor::{
    config,
    power::enrol::{self, Offer, Standing},
};
use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file of pinned host keys
    #[arg(long, value_name = "FILE")]
    known_hosts: PathBuf,
    /// Pin without asking; for when the fingerprint has been compared already
    #[arg(long)]
    yes: bool,
    /// The host's SSH server
    #[arg(value_name = "HOST:PORT", value_parser = config::parse_host_and_port)]
    host: (String, u16),
}

/// Shows the host's fingerprint, and pins it if that is wanted.
pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let (host, port) = &args.host;
    let offer = enrol::ask(host, *port).await?;
    let mut out = io::stdout();
    writeln!(out, "{} {} {}", offer.name, offer.key_type, offer.fingerprint)?;
    match offer.standing(&args.known_hosts)? {
        Standing::Pinned => writeln!(out, "already pinned")?,
        Standing::Different => bail!(
            "another key is pinned for {}: if its host was set up anew, remove the old line from {} first",
            offer.name,
            args.known_hosts.display()
        ),
        Standing::Unknown => {
            ensure!(args.yes || confirmed(&offer)?, "not pinned");
            offer.pin(&args.known_hosts)?;
            writeln!(out, "pinned in {}", args.known_hosts.display())?;
        }
    }
    Ok(())
}

fn confirmed(offer: &Offer) -> anyhow::Result<bool> {
    ensure!(io::stdin().is_terminal(), "nobody to ask; compare the fingerprint and use --yes");
    let mut out = io::stdout();
    writeln!(out, "Compare it with what the host's owner reads out (ssh-keygen -lf on the host).")?;
    write!(out, "Trust {} from now on? Type yes: ", offer.name)?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).context("no answer could be read")?;
    Ok(answer.trim() == "yes")
}

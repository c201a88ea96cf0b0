//! Commands on the cluster and its nodes.

use crate::{
    args::{self, Node as Command},
    cli::output,
};
use asterism_client::{
    Client, Error,
    types::{Act, Node, Status},
};

pub(crate) async fn status(client: &Client, json: bool) -> anyhow::Result<()> {
    let status = client.status().await?;
    output::print(json, &status, || status_text(&status))
}

fn status_text(status: &Status) -> String {
    let nodes: Vec<String> = status.nodes.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let margin = match status.groups.worst_margin {
        None => "no placement groups yet".into(),
        Some(margin @ ..=-1) => format!("some files are unreadable now (worst margin {margin})"),
        Some(0) => "some files would be lost with the next node (worst margin 0)".into(),
        Some(1) => "every file survives the loss of 1 more node".into(),
        Some(margin) => format!("every file survives the loss of {margin} more nodes"),
    };
    let facts = [
        ("nodes", nodes.join(", ")),
        ("safety", margin),
        ("groups", status.groups.total.to_string()),
        ("short extents", status.short_extents.to_string()),
        ("files", format!("{} ({})", status.files, output::bytes(status.bytes))),
        ("policy", status.policy.clone()),
    ];
    let mut text: String = facts.iter().map(|(name, value)| format!("{name:14} {value}\n")).collect();
    let rows = status.background.iter().map(|worker| {
        let eta = worker.eta_seconds.map_or_else(|| "-".into(), |seconds| format!("{seconds:.0} s"));
        let error = worker.last_error.clone().unwrap_or_else(|| "-".into());
        vec![worker.name.clone(), worker.queue.to_string(), format!("{:.1}", worker.rate), eta, error]
    });
    text.push('\n');
    text.push_str(&output::table(
        &["WORKER", "QUEUE", "PER SECOND", "TIME LEFT", "LAST ERROR"],
        &rows.collect::<Vec<_>>(),
    ));
    text
}

pub(crate) async fn node(client: &Client, command: Command, json: bool) -> anyhow::Result<()> {
    match command {
        Command::Ls => {
            let nodes = client.nodes().await?;
            output::print(json, &nodes, || nodes_text(&nodes))
        }
        Command::Show { name } => {
            let node = client.node(&name).await?;
            output::print(json, &node, || nodes_text(std::slice::from_ref(&node)))
        }
        Command::Stop(act) => perform(client, "stop", &act, json).await,
        Command::Wake(act) => perform(client, "wake", &act, json).await,
        Command::Drain(act) => perform(client, "drain", &act, json).await,
        Command::Retire(act) => perform(client, "retire", &act, json).await,
        Command::Weight { name, factor, dry_run } => {
            let done = client.weigh(&name, factor, dry_run).await?;
            output::print(json, &done, || act_text(&done))
        }
    }
}

fn nodes_text(nodes: &[Node]) -> String {
    let rows = nodes.iter().map(|node| {
        let pid = node.pid.map_or_else(|| "-".into(), |pid| pid.to_string());
        let room = format!("{} of {}", output::bytes(node.free_bytes), output::bytes(node.capacity_bytes));
        vec![
            node.name.clone(),
            node.state.clone(),
            node.zone.clone(),
            node.address.clone(),
            pid,
            room,
            node.shards.to_string(),
        ]
    });
    output::table(&["NAME", "STATE", "ZONE", "ADDRESS", "PID", "FREE", "SHARDS"], &rows.collect::<Vec<_>>())
}

async fn perform(client: &Client, verb: &str, act: &args::Act, json: bool) -> anyhow::Result<()> {
    match client.act(&act.name, verb, act.dry_run, act.force).await {
        Ok(done) => output::print(json, &done, || act_text(&done)),
        Err(Error::Refused(problem)) if problem.act.is_some() => {
            if let Some(act) = problem.act.as_ref().filter(|_| json) {
                output::print(true, act, String::new)?;
            }
            let detail = problem.act.as_ref().map(act_text).unwrap_or(problem.detail);
            anyhow::bail!("{detail}")
        }
        Err(error) => Err(error.into()),
    }
}

fn act_text(act: &Act) -> String {
    let mut text = output::shown(&act.message);
    for (name, values) in [("owners", &act.owners), ("tags", &act.tags)] {
        if !values.is_empty() {
            text.push_str(&format!("\n{name}: {}", output::shown(&values.join(", "))));
        }
    }
    if let Some(plan) = act.plan.as_ref().filter(|plan| plan.places > 0) {
        let speed = if plan.measured { "as measured" } else { "the limit" };
        let margin = plan.worst_margin.map_or_else(|| "-".into(), |margin| margin.to_string());
        text.push_str(&format!(
            "\nplaces {} in {} groups, shards about {}, bytes about {}, files {}\ntime about {:.0} s at {}/s ({speed}), worst margin meanwhile {margin}",
            plan.places,
            plan.groups,
            plan.shards,
            output::bytes(plan.bytes),
            plan.files,
            plan.seconds,
            output::bytes(plan.bytes_per_second),
        ));
    }
    text
}

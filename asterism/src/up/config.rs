//! The configuration files of the processes, written anew at each start.

use crate::{
    args::Up,
    up::{home::Home, ports::Ports},
};
use asterism_service::durable;
use std::path::Path;
use toml::{Table, Value};

/// Writes the configuration of every process. The files may hold database passwords: only the owner can read them.
pub(crate) fn write(home: &Home, ports: &Ports, options: &Up) -> anyhow::Result<()> {
    std::fs::create_dir_all(home.root().join("config"))?;
    let write = |process: &str, table: Table| -> anyhow::Result<()> {
        durable::replace(&home.config(process), toml::to_string(&table)?.as_bytes(), 0o600)?;
        Ok(())
    };
    write("index-server", index_server(home, ports, options)?)?;
    write("monitor", monitor(home, ports, options))?;
    for name in home.nodes() {
        write(name, storage_node(home, ports, options, name))?;
    }
    Ok(())
}

fn index_server(home: &Home, ports: &Ports, options: &Up) -> anyhow::Result<Table> {
    let binary = std::env::current_exe()?;
    let database = options
        .database
        .clone()
        .unwrap_or_else(|| format!("sqlite://{}", home.root().join("index.db").display()));
    let mut table = table([
        ("listen", ports.http.to_string().into()),
        ("grpc_listen", ports.index.to_string().into()),
        ("identity_dir", path(&home.identity("index-server"))),
        ("database", database.into()),
        ("policy", home.policy().to_string().into()),
        ("nodes_expected", (home.nodes().len() as i64).into()),
        ("join_token_file", path(&home.join_token())),
        ("monitor", ports.monitor.to_string().into()),
        ("tagger", Value::Array(vec![path(&binary), "tag-worker".into()])),
        ("log_level", options.log_level.clone().into()),
    ]);
    if let Some(graph) = &options.graph {
        table.insert("graph".into(), graph.clone().into());
    }
    Ok(table)
}

fn monitor(home: &Home, ports: &Ports, options: &Up) -> Table {
    let mut table = table([
        ("listen", ports.monitor.to_string().into()),
        ("http_listen", ports.monitor_http.to_string().into()),
        ("data_dir", path(&home.root().join("monitor"))),
        ("identity_dir", path(&home.identity("monitor"))),
        ("index_servers", Value::Array(vec![ports.index.to_string().into()])),
        ("cluster", home.cluster().to_string().into()),
        ("operator_token_file", path(&home.admin_token())),
        ("log_level", options.log_level.clone().into()),
    ]);
    if let Some(pushgateway) = &options.pushgateway {
        table.insert("pushgateway".into(), pushgateway.clone().into());
    }
    let local = Table::from_iter([("socket".to_owned(), path(&home.socket()))]);
    let power =
        Table::from_iter([("driver".to_owned(), "local".into()), ("local".to_owned(), Value::Table(local))]);
    table.insert("power".into(), Value::Table(power));
    table
}

fn storage_node(home: &Home, ports: &Ports, options: &Up, name: &str) -> Table {
    let (grpc, metrics) = ports.nodes[name];
    table([
        ("name", name.into()),
        ("data_dir", path(&home.node_dir(name))),
        ("listen", grpc.to_string().into()),
        ("metrics_listen", metrics.to_string().into()),
        ("identity_dir", path(&home.identity(name))),
        // Each node is its own failure domain: on one machine only its process and directory can fail by itself.
        ("zone", name.into()),
        ("index_servers", Value::Array(vec![ports.index.to_string().into()])),
        ("join_token_file", path(&home.join_token())),
        ("log_level", options.log_level.clone().into()),
    ])
}

fn table<const N: usize>(fields: [(&str, Value); N]) -> Table {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn path(path: &Path) -> Value {
    path.display().to_string().into()
}

//! How a cluster is started.

use crate::locate;
use crate::process::bound_command;
use crate::strays::Mark;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a cluster is started; the defaults are those of a person who gives no argument but the directory.
#[derive(Clone, Debug)]
pub struct Options {
    /// Storage nodes.
    pub nodes: u16,
    /// `k+m`.
    pub policy: String,
    /// `mysql://…`; nothing is SQLite in the directory.
    pub database: Option<String>,
    /// `bolt://…`; nothing is tables in the database.
    pub graph: Option<String>,
    /// Where the monitor pushes.
    pub pushgateway: Option<String>,
    /// The address of page and API.
    pub listen: String,
    /// Where everything is kept; nothing is a fresh directory, which goes with the cluster.
    pub data_dir: Option<PathBuf>,
    /// A command that `up` is started through, with its arguments (a namespace, a limit).
    pub wrapper: Vec<String>,
    /// Further arguments of `up`.
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 6,
            policy: "4+2".to_owned(),
            database: None,
            graph: None,
            pushgateway: None,
            listen: "127.0.0.1:0".to_owned(),
            data_dir: None,
            wrapper: Vec::new(),
            arguments: Vec::new(),
        }
    }
}

impl Options {
    /// The command that starts `asterism up`.
    pub(super) fn command(&self, data_dir: &Path, mark: &Mark) -> anyhow::Result<Command> {
        let binary = locate::binary("asterism")?;
        let mut command = match self.wrapper.split_first() {
            Some((program, arguments)) => {
                let mut command = bound_command(&locate::program(program)?)?;
                command.args(arguments).arg(binary);
                command
            }
            None => bound_command(&binary)?,
        };
        mark.set(&mut command).arg("up").arg("--data-dir").arg(data_dir);
        command.args(["--listen", &self.listen]);
        command.args(["--nodes", &self.nodes.to_string(), "--policy", &self.policy]);
        let urls =
            [("--database", &self.database), ("--graph", &self.graph), ("--pushgateway", &self.pushgateway)];
        for (name, url) in urls {
            if let Some(url) = url {
                command.args([name, url]);
            }
        }
        command.args(&self.arguments);
        // What a developer's shell says must not decide.
        for variable in ["ASTERISM_SERVER", "ASTERISM_TOKEN", "ASTERISM_DATABASE", "ASTERISM_GRAPH"] {
            command.env_remove(variable);
        }
        Ok(command)
    }
}

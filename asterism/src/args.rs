//! The command line, as DESIGN section 7 fixes it.

use asterism_erasure::Policy;
use clap::{Args as ClapArgs, Parser, Subcommand};
use std::{net::SocketAddr, path::PathBuf};

/// A file store that you can switch off, machine by machine, and always know what you still have.
#[derive(Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which cluster, and how to print.
#[derive(ClapArgs)]
pub(crate) struct Connection {
    /// URL of the cluster [default: the saved login, else http://127.0.0.1:8420]
    #[arg(long, global = true, env = "ASTERISM_SERVER")]
    pub(crate) server: Option<String>,
    /// API token [default: the saved login]
    #[arg(long, global = true, env = "ASTERISM_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// URL of the monitor's own port, which answers for nodes and messages when the cluster's page does not
    #[arg(long, global = true, env = "ASTERISM_MONITOR", value_name = "URL")]
    pub(crate) monitor: Option<String>,
    /// Print JSON for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start a whole cluster on this machine
    Up(Up),
    /// Certificates of the cluster's processes
    #[command(subcommand)]
    Ca(Ca),
    #[command(flatten)]
    Process(Process),
    #[command(flatten)]
    Client(Client),
}

#[derive(ClapArgs)]
pub(crate) struct Up {
    /// Storage nodes to start
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=200))]
    pub(crate) nodes: Option<u16>,
    /// Where everything is kept [default: ~/.local/share/asterism]
    #[arg(long, value_name = "D")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address of the page and the API; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8420")]
    pub(crate) listen: SocketAddr,
    /// Data and parity shards of a file [default: 4+2, or the widest that fits the nodes]
    #[arg(long, value_name = "K+M")]
    pub(crate) policy: Option<Policy>,
    /// Where metadata is kept: mysql://… or sqlite://… [default: SQLite in the data directory]
    #[arg(long, value_name = "URL", env = "ASTERISM_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<String>,
    /// A Neo4j for the tag graph: bolt://USER:PASS@HOST [default: tables in the database]
    #[arg(long, value_name = "URL", env = "ASTERISM_GRAPH", hide_env_values = true)]
    pub(crate) graph: Option<String>,
    /// Where the monitor pushes node counts and capacity
    #[arg(long, value_name = "URL")]
    pub(crate) pushgateway: Option<String>,
    /// Level of the processes' logs
    #[arg(long, default_value = "info")]
    pub(crate) log_level: String,
}

#[derive(Subcommand)]
pub(crate) enum Ca {
    /// Make a new certificate authority for a new cluster in DIR
    Init {
        /// Where ca.pem and ca.key go
        dir: PathBuf,
    },
    /// Make the identity of one process with the authority in DIR
    Issue {
        /// Where ca.pem and ca.key are
        dir: PathBuf,
        /// storage-node, index-server, monitor or operator
        role: asterism_proto::Role,
        /// Where the identity goes
        out: PathBuf,
    },
    /// Say whose authority DIR holds, or whose identity
    Show {
        /// Of an authority or an identity
        dir: PathBuf,
    },
}

/// The servers, by themselves.
#[derive(Subcommand)]
pub(crate) enum Process {
    /// Keep shards
    #[command(hide = true)]
    StorageNode(ServerArgs),
    /// Keep names, tags and users, and serve the page
    #[command(hide = true)]
    IndexServer(ServerArgs),
    /// Watch and act
    #[command(hide = true)]
    Monitor(ServerArgs),
    /// Make tags of content on standard input
    #[command(hide = true)]
    TagWorker,
}

#[derive(ClapArgs)]
pub(crate) struct ServerArgs {
    /// Configuration file
    #[arg(long)]
    pub(crate) config: PathBuf,
    /// End with the process that started this one, which must be this one
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) with_parent: Option<i32>,
}

#[derive(Subcommand)]
pub(crate) enum Client {
    /// Log in to a cluster and remember it
    Login {
        /// Of the cluster
        url: String,
        /// Name of the user
        #[arg(long, default_value = "admin")]
        user: String,
        /// Read the password from a file instead of asking
        #[arg(long)]
        password_file: Option<PathBuf>,
    },
    /// Store files or folders
    Put {
        /// Local files or folders, then the place in the store
        #[arg(required = true, num_args = 2.., value_name = "FILE… PATH")]
        paths: Vec<String>,
    },
    /// Fetch a file
    Get {
        /// In the store
        path: String,
        /// Local file, or - for standard output [default: the file's own name]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List a folder
    Ls {
        /// In the store
        #[arg(default_value = "/")]
        path: String,
    },
    /// Move or rename
    Mv {
        /// What
        from: String,
        /// Where to
        to: String,
    },
    /// Put files or folders into the trash
    Rm {
        /// In the store
        #[arg(required = true)]
        paths: Vec<String>,
    },
    /// Bring back from the trash; without a path, show what is in it
    Restore {
        /// Where it was
        path: Option<String>,
    },
    /// Make a folder and those above it
    Mkdir {
        /// In the store
        path: String,
    },
    /// Find files by name and tag
    Find {
        /// For example: type:image AND tag:holiday
        query: String,
        /// Show more than the first page
        #[arg(long)]
        all: bool,
    },
    /// Tags of a file
    #[command(subcommand)]
    Tag(Tag),
    /// Tags that often stand beside a tag
    Related {
        /// Name of the tag
        tag: String,
    },
    /// Files that share tags with a file
    Similar {
        /// In the store
        path: String,
    },
    /// How the cluster is
    Status,
    /// What the monitor wants people to know
    Messages {
        /// Those that were not read, also if they have ended
        #[arg(long, conflicts_with = "all")]
        unread: bool,
        /// Everything that is kept: what has ended, what another message says too, and what is silenced
        #[arg(long)]
        all: bool,
        /// Mark these as read
        #[arg(long, value_name = "ID", num_args = 1.., conflicts_with_all = ["unread", "all"])]
        read: Vec<i64>,
    },
    /// Storage nodes
    #[command(subcommand)]
    Node(Node),
    /// Compare metadata, shards and tag graph; fails if something differs and was not made good
    Fsck {
        /// Make differences good
        #[arg(long)]
        repair: bool,
        /// Set aside what nothing names, also when that is more than a hundredth of all shards
        #[arg(long, requires = "repair")]
        force: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum Tag {
    /// Give a file tags
    Add {
        /// In the store
        path: String,
        /// Names
        #[arg(required = true)]
        tags: Vec<String>,
    },
    /// Take tags from a file
    Rm {
        /// In the store
        path: String,
        /// Names
        #[arg(required = true)]
        tags: Vec<String>,
    },
    /// Show the tags of a file, and why it has them
    Ls {
        /// In the store
        path: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum Node {
    /// All nodes
    Ls,
    /// One node
    Show {
        /// Of the node
        name: String,
    },
    /// Put a node to sleep, if the cluster can stand it
    Stop(Act),
    /// Wake a node; one that is being drained or was retired is wanted again
    Wake(Act),
    /// Have a node give everything away to the others
    Drain(Act),
    /// Drain a node, and be done with it when it is empty
    Retire(Act),
    /// Give a node a larger or smaller share
    Weight {
        /// Of the node
        name: String,
        /// How often its capacity counts: 2 takes twice as much, 0.5 half
        factor: f64,
        /// Only say what would happen
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(ClapArgs)]
pub(crate) struct Act {
    /// Of the node
    pub(crate) name: String,
    /// Only say what would happen
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Stop although files would be at risk; drain although the node is away or its shards hardly fit (admins)
    #[arg(long)]
    pub(crate) force: bool,
}

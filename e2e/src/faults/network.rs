//! A network of its own: each node in a namespace, all on one bridge, the other servers on the bridge's own address.
//!
//! Wires are cut with iptables inside the namespaces, so that nothing outside them changes. Needs root.

use crate::faults::Site;
use crate::faults::disk::{needs_root, run};
use crate::faults::site::{INDEX, MONITOR};
use crate::locate::program;
use anyhow::Context;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Networks of these tests are 10.219.0.0/16, one /24 each.
const PREFIX: &str = "10.219";

/// Nodes in namespaces of their own; dropping it removes them and the bridge.
#[derive(Debug)]
pub struct Network {
    /// In the names of everything that it makes.
    tag: String,
    /// The third byte of all addresses.
    subnet: u32,
    /// The last byte of each node's address.
    hosts: BTreeMap<String, u32>,
}

impl Network {
    /// A network for the nodes of a site that does not run: from its next start on they live in it.
    ///
    /// # Errors
    /// The test does not run as root, or the kernel lacks namespaces, bridges or veth pairs.
    pub fn around(site: &mut Site) -> anyhow::Result<Self> {
        needs_root()?;
        let mut network = Self::bridge()?;
        let index = site.configured(INDEX, "grpc_listen")?;
        let port = |address: &str| address.rsplit(':').next().map(str::to_owned).context("a port");
        let gateway = format!("{}:{}", network.gateway(), port(&index)?);
        site.configure(INDEX, "grpc_listen", &format!("'{gateway}'"))?;
        site.configure(MONITOR, "index_servers", &format!("['{gateway}']"))?;
        for name in site.node_names() {
            let address = network.add(&name)?;
            let listen = port(&site.configured(&name, "listen")?)?;
            site.configure(&name, "listen", &format!("'{address}:{listen}'"))?;
            site.configure(&name, "index_servers", &format!("['{gateway}']"))?;
            let space = network.space(&name);
            site.wrap(&name, &["ip", "netns", "exec", &space]);
        }
        Ok(network)
    }

    /// The address of everything that is in no namespace.
    pub fn gateway(&self) -> String {
        format!("{PREFIX}.{}.1", self.subnet)
    }

    /// Cuts a node off, both ways.
    ///
    /// # Errors
    /// There is no such node.
    pub fn cut(&self, node: &str) -> anyhow::Result<()> {
        self.drop_incoming(node)?;
        self.drop_outgoing(node)
    }

    /// What others send to a node does not arrive.
    ///
    /// # Errors
    /// There is no such node.
    pub fn drop_incoming(&self, node: &str) -> anyhow::Result<()> {
        self.rule(node, &["INPUT", "-i", "eth0", "-j", "DROP"])
    }

    /// What a node sends does not arrive.
    ///
    /// # Errors
    /// There is no such node.
    pub fn drop_outgoing(&self, node: &str) -> anyhow::Result<()> {
        self.rule(node, &["OUTPUT", "-o", "eth0", "-j", "DROP"])
    }

    /// So many of a hundred packets are lost on their way to a node.
    ///
    /// # Errors
    /// There is no such node.
    pub fn lose(&self, node: &str, percent: u32) -> anyhow::Result<()> {
        let share = format!("{:.2}", f64::from(percent) / 100.0);
        let random = ["-m", "statistic", "--mode", "random", "--probability", &share, "-j", "DROP"];
        self.rule(node, &[&["INPUT", "-i", "eth0"][..], &random].concat())
    }

    /// Every so many packets to a node one is answered with a reset, which breaks its connection.
    ///
    /// # Errors
    /// There is no such node.
    pub fn reset_every(&self, node: &str, packets: u32) -> anyhow::Result<()> {
        let every = packets.to_string();
        let nth = ["-p", "tcp", "-m", "statistic", "--mode", "nth", "--every", &every, "--packet", "0"];
        self.rule(
            node,
            &[&["INPUT", "-i", "eth0"][..], &nth, &["-j", "REJECT", "--reject-with", "tcp-reset"]].concat(),
        )
    }

    /// A node sends and gets no more than this (`1mbit`).
    ///
    /// # Errors
    /// There is no such node.
    pub fn limit_rate(&self, node: &str, rate: &str) -> anyhow::Result<()> {
        let filter = ["root", "tbf", "rate", rate, "burst", "32kbit", "latency", "400ms"];
        self.inside(node, "tc", &[&["qdisc", "replace", "dev", "eth0"][..], &filter].concat())?;
        run(Command::new(program("tc")?).args(["qdisc", "replace", "dev", &self.outer(node)]).args(filter))
    }

    /// Undoes everything that was done to a node's wires.
    ///
    /// # Errors
    /// There is no such node.
    pub fn heal(&self, node: &str) -> anyhow::Result<()> {
        self.inside(node, "iptables", &["-w", "-F"])?;
        // Both fail where no rate was limited.
        let _ = self.inside(node, "tc", &["qdisc", "del", "dev", "eth0", "root"]);
        let _ = run(Command::new(program("tc")?).args(["qdisc", "del", "dev", &self.outer(node), "root"]));
        Ok(())
    }

    /// Undoes everything that was done to any node's wires.
    ///
    /// # Errors
    /// A command fails.
    pub fn heal_all(&self) -> anyhow::Result<()> {
        self.hosts.keys().try_for_each(|node| self.heal(node))
    }

    fn rule(&self, node: &str, rule: &[&str]) -> anyhow::Result<()> {
        self.inside(node, "iptables", &[&["-w", "-A"], rule].concat())
    }

    fn inside(&self, node: &str, tool: &str, arguments: &[&str]) -> anyhow::Result<()> {
        self.hosts.get(node).with_context(|| format!("there is no node {node}"))?;
        let mut command = Command::new(program("ip")?);
        run(command.args(["netns", "exec", &self.space(node)]).arg(program(tool)?).args(arguments))
    }

    fn space(&self, node: &str) -> String {
        format!("{}-{node}", self.tag)
    }

    /// The bridge's end of a node's wire.
    fn outer(&self, node: &str) -> String {
        format!("{}v{}", self.tag, self.hosts.get(node).copied().unwrap_or_default())
    }

    fn device(&self) -> String {
        format!("{}b", self.tag)
    }

    /// A bridge on a subnet that nobody has taken, neither in this process nor in another one.
    fn bridge() -> anyhow::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mut last = None;
        for _ in 0..200 {
            let subnet = (std::process::id() + NEXT.fetch_add(97, Ordering::Relaxed)) % 254 + 1;
            let network = Self { tag: format!("ast{subnet}"), subnet, hosts: BTreeMap::new() };
            match ip(&["link", "add", &network.device(), "type", "bridge"]) {
                Ok(()) => {
                    let address = format!("{}/24", network.gateway());
                    ip(&["addr", "add", &address, "dev", &network.device()])?;
                    ip(&["link", "set", &network.device(), "up"])?;
                    return Ok(network);
                }
                Err(error) => {
                    // Somebody else's: it must not be removed with this value.
                    std::mem::forget(network);
                    last = Some(error);
                }
            }
        }
        Err(last.context("no attempt was made")?)
    }

    /// Puts a node onto the bridge; gives its address.
    fn add(&mut self, node: &str) -> anyhow::Result<String> {
        let number = self.hosts.len() as u32 + 10;
        // Noted first: what exists by half is removed too.
        self.hosts.insert(node.to_owned(), number);
        let (space, device, outer) = (self.space(node), self.device(), self.outer(node));
        let address = format!("{PREFIX}.{}.{number}", self.subnet);
        ip(&["netns", "add", &space])?;
        ip(&["link", "add", &outer, "type", "veth", "peer", "name", "eth0", "netns", &space])?;
        ip(&["link", "set", &outer, "master", &device, "up"])?;
        ip(&["-n", &space, "addr", "add", &format!("{address}/24"), "dev", "eth0"])?;
        ip(&["-n", &space, "link", "set", "eth0", "up"])?;
        ip(&["-n", &space, "link", "set", "lo", "up"])?;
        Ok(address)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for node in self.hosts.keys() {
            // The wire first: a namespace lives on while a process is in it.
            let _ = ip(&["link", "del", &self.outer(node)]);
            let _ = ip(&["netns", "del", &self.space(node)]);
        }
        let _ = ip(&["link", "del", &self.device()]);
    }
}

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    run(Command::new(program("ip")?).args(arguments))
}

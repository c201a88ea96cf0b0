//! An address of this machine alone that does not look like loopback.

use anyhow::{Context, ensure};
use std::{net::Ipv4Addr, process::Command};

/// An address that is there as long as this value.
pub(crate) struct Address(Ipv4Addr);

impl Address {
    /// Gives the loopback device another address; needs the right to change the network.
    pub(crate) fn add() -> anyhow::Result<Self> {
        // Private addresses, one per process: two runs do not take it from each other.
        let [.., high, low] = std::process::id().to_be_bytes();
        let address = Self(Ipv4Addr::new(10, 99, high, low));
        address.ip("add")?;
        Ok(address)
    }

    pub(crate) fn ip_address(&self) -> Ipv4Addr {
        self.0
    }

    fn ip(&self, verb: &str) -> anyhow::Result<()> {
        let mut command = Command::new("ip");
        command.args(["address", verb, &format!("{}/32", self.0), "dev", "lo"]);
        let output = command.output().context("cannot start ip (iproute2)")?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ip address {verb}: {}", words.trim());
        Ok(())
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        if let Err(error) = self.ip("delete") {
            eprintln!("{} stays on lo: {error:#}", self.0);
        }
    }
}

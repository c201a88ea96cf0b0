//! Ports of a cluster on one machine: kept from start to start, so that a node that wakes is where it was.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
};

/// Below the range that Linux takes for outgoing connections: one of those must not sit down on a port while its process is
/// being started, or is away.
const PORTS: Range<u16> = 20_000..32_000;
const ATTEMPTS: usize = 100;

/// Where each process listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ports {
    /// The page and the API.
    pub(crate) http: SocketAddr,
    /// gRPC of the index-server and the monitor.
    pub(crate) index: SocketAddr,
    pub(crate) monitor: SocketAddr,
    pub(crate) monitor_http: SocketAddr,
    /// gRPC and metrics of each storage node.
    pub(crate) nodes: BTreeMap<String, (SocketAddr, SocketAddr)>,
}

/// Whether nothing listens there.
pub(crate) fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

/// Gives every process a port: the one it had if that is still free, else a free one.
pub(crate) fn assign(listen: SocketAddr, nodes: &[String], before: Option<Ports>) -> std::io::Result<Ports> {
    let mut taken = Taken::default();
    let had = |pick: fn(&Ports) -> SocketAddr| before.as_ref().map(pick);
    let http = if listen.port() == 0 {
        taken.keep_or_find(had(|p| p.http).filter(|p| p.ip() == listen.ip()), listen)?
    } else {
        listen
    };
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let index = taken.keep_or_find(had(|p| p.index), loopback)?;
    let monitor = taken.keep_or_find(had(|p| p.monitor), loopback)?;
    let monitor_http = taken.keep_or_find(had(|p| p.monitor_http), loopback)?;
    let mut places = BTreeMap::new();
    for name in nodes {
        let old = before.as_ref().and_then(|before| before.nodes.get(name));
        let grpc = taken.keep_or_find(old.map(|(grpc, _)| *grpc), loopback)?;
        let metrics = taken.keep_or_find(old.map(|(_, metrics)| *metrics), loopback)?;
        places.insert(name.clone(), (grpc, metrics));
    }
    Ok(Ports { http, index, monitor, monitor_http, nodes: places })
}

/// Listeners that hold the ports given so far, so that none is given twice.
#[derive(Default)]
struct Taken(Vec<TcpListener>);

impl Taken {
    fn keep_or_find(&mut self, old: Option<SocketAddr>, any: SocketAddr) -> std::io::Result<SocketAddr> {
        let kept = old.and_then(|address| TcpListener::bind(address).ok());
        let listener = match kept.or_else(|| find(any.ip())) {
            Some(listener) => listener,
            None => TcpListener::bind(any)?,
        };
        let address = listener.local_addr()?;
        self.0.push(listener);
        Ok(address)
    }
}

/// A listener on a free port of [`PORTS`], if there is one.
fn find(ip: IpAddr) -> Option<TcpListener> {
    // Every `RandomState` has keys of its own, so these are random numbers.
    let numbers = (0..ATTEMPTS).map(|_| RandomState::new().hash_one(()) % u64::from(PORTS.end - PORTS.start));
    let mut ports =
        numbers.filter_map(|number| u16::try_from(number).ok()).map(|number| PORTS.start + number);
    ports.find_map(|port| TcpListener::bind((ip, port)).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn all(ports: &Ports) -> Vec<SocketAddr> {
        let nodes = ports.nodes.values().flat_map(|(grpc, metrics)| [*grpc, *metrics]);
        [ports.http, ports.index, ports.monitor, ports.monitor_http].into_iter().chain(nodes).collect()
    }

    #[test]
    fn every_process_has_its_own_and_keeps_it() {
        let (listen, nodes) = (SocketAddr::from(([127, 0, 0, 1], 0)), ["n1".to_owned(), "n2".to_owned()]);
        let first = assign(listen, &nodes, None).unwrap();
        assert_eq!(all(&first).into_iter().collect::<HashSet<_>>().len(), 8);
        assert_eq!(assign(listen, &nodes, Some(first.clone())).unwrap(), first);
        assert!(all(&first).iter().all(|address| PORTS.contains(&address.port())), "{first:?}");
    }

    #[test]
    fn a_port_that_was_taken_meanwhile_is_replaced() {
        let (listen, nodes) = (SocketAddr::from(([127, 0, 0, 1], 0)), ["n1".to_owned()]);
        let first = assign(listen, &nodes, None).unwrap();
        let _thief = TcpListener::bind(first.index).unwrap();
        let second = assign(listen, &nodes, Some(first.clone())).unwrap();
        assert_ne!(second.index, first.index);
        assert_eq!(second.nodes, first.nodes);
    }
}

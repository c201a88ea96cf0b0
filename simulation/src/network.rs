//! The network between the processes: streams of bytes, as TCP gives them, over wires that are slow, lose packets or are cut.
//!
//! What was sent arrives in order or not at all, after a time drawn by chance; a lost packet is a pause, since TCP sends it again. A cut
//! wire holds everything back, in one direction or both, and says nothing. A process that ends takes its connections along: its peers
//! are told (the kernel resets them) unless the power is gone or the wire is cut.

mod pipe;
mod stream;

pub use stream::Stream;

use crate::{
    chance::Chance,
    process::{Host, Process, Shared, lock},
};
use anyhow::Context as _;
use asterism_service::grpc::{self, Dial, Target};
use hyper_util::rt::TokioIo;
use pipe::Pipe;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    time::Duration,
};
use tokio::{sync::mpsc, time::sleep};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};

/// A packet is sent again after this time at least.
const RESEND_MS: u64 = 200;

/// All wires; clones are the same network.
#[derive(Clone)]
pub struct Network(Shared<State>);

struct State {
    chance: Chance,
    /// Who listens where.
    listeners: BTreeMap<String, Listener>,
    /// Hosts without power.
    off: BTreeSet<Host>,
    /// Nothing arrives from the first at the second.
    cut: BTreeSet<(Host, Host)>,
    /// So much longer does all to and from a host take.
    slow: BTreeMap<Host, Duration>,
    /// Packets lost, in a thousand.
    loss: u64,
    pipes: BTreeMap<u64, Pipe>,
    next_pipe: u64,
}

struct Listener {
    process: Process,
    incoming: mpsc::UnboundedSender<io::Result<Stream>>,
}

impl Network {
    /// Good wires, whose delays follow from the seed.
    pub fn new(chance: Chance) -> Self {
        let state = State {
            chance,
            listeners: BTreeMap::new(),
            off: BTreeSet::new(),
            cut: BTreeSet::new(),
            slow: BTreeMap::new(),
            loss: 0,
            pipes: BTreeMap::new(),
            next_pipe: 0,
        };
        Self(Shared::new(state.into()))
    }

    /// Takes in connections for a process.
    pub fn listen(&self, address: &str, process: &Process) -> UnboundedReceiverStream<io::Result<Stream>> {
        let (incoming, accepted) = mpsc::unbounded_channel();
        let listener = Listener { process: process.clone(), incoming };
        lock(&self.0).listeners.insert(address.to_owned(), listener);
        UnboundedReceiverStream::new(accepted)
    }

    /// The way of one process to others.
    pub fn dial(&self, own: &Process) -> impl Dial + use<> {
        Dialling { network: self.clone(), own: own.clone() }
    }

    /// Ends a process with all its connections. Without power nobody is told before [`Network::power_on`].
    pub fn end(&self, process: &Process, has_power: bool) {
        process.die();
        let mut state = lock(&self.0);
        state.listeners.retain(|_, listener| listener.process != *process);
        match has_power {
            true => state.reset(process.host),
            false => drop(state.off.insert(process.host)),
        }
    }

    /// A host has power again: whoever waits for processes that ended there learns of it.
    pub fn power_on(&self, host: Host) {
        let mut state = lock(&self.0);
        state.off.remove(&host);
        state.reset(host);
    }

    /// Cuts the wire from one host to another.
    pub fn cut(&self, from: Host, to: Host) {
        lock(&self.0).cut.insert((from, to));
    }

    /// Everything to and from a host takes so much longer.
    pub fn slow_down(&self, host: Host, by: Duration) {
        lock(&self.0).slow.insert(host, by);
    }

    /// So many packets in a thousand are lost.
    pub fn lose(&self, per_mille: u64) {
        lock(&self.0).loss = per_mille;
    }

    /// Repairs the wires of a host.
    pub fn heal(&self, host: Host) {
        let mut state = lock(&self.0);
        state.cut.retain(|(from, to)| *from != host && *to != host);
        state.slow.remove(&host);
        state.pipes.values_mut().for_each(Pipe::wake_reader);
    }

    /// Repairs all wires.
    pub fn heal_all(&self) {
        let mut state = lock(&self.0);
        state.cut.clear();
        state.slow.clear();
        state.loss = 0;
        state.pipes.values_mut().for_each(Pipe::wake_reader);
    }

    async fn connect(&self, own: &Process, address: &str) -> io::Result<Stream> {
        let there = host_of(address)?;
        let pause = {
            let mut state = lock(&self.0);
            state.delay(own.host, there) + state.delay(there, own.host)
        };
        sleep(pause).await;
        let taken = {
            let mut state = lock(&self.0);
            let silent = own.is_dead() || state.off.contains(&there) || state.is_cut(own.host, there);
            let silent = silent || state.is_cut(there, own.host);
            let listener = state.listeners.get(address);
            match (silent, listener.map(|found| (found.process.clone(), found.incoming.clone()))) {
                (true, _) => None,
                (false, None) => return Err(io::ErrorKind::ConnectionRefused.into()),
                (false, Some((peer, incoming))) => {
                    let (out, back) = (state.pipe(own, &peer), state.pipe(&peer, own));
                    Some((out, back, peer, incoming))
                }
            }
        };
        // A connection is given up by who asked for it.
        let Some((out, back, peer, incoming)) = taken else { return std::future::pending().await };
        let ours = Stream::new(self, own, &peer, back, out);
        let theirs = Stream::new(self, &peer, own, out, back);
        incoming.send(Ok(theirs)).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(ours)
    }
}

impl State {
    fn is_cut(&self, from: Host, to: Host) -> bool {
        self.cut.contains(&(from, to))
    }

    fn delay(&mut self, from: Host, to: Host) -> Duration {
        let mut micros = self.chance.within(50..3000);
        if self.loss > 0 && self.chance.per_mille(self.loss) {
            micros += 1000 * self.chance.within(RESEND_MS..5 * RESEND_MS);
        }
        let slow = |host: &Host| self.slow.get(host).copied().unwrap_or_default();
        Duration::from_micros(micros) + slow(&from) + slow(&to)
    }

    fn pipe(&mut self, from: &Process, to: &Process) -> u64 {
        let number = self.next_pipe;
        self.next_pipe += 1;
        self.pipes.insert(number, Pipe::new(from, to));
        number
    }

    /// Tells everybody who is connected with dead processes of a host.
    fn reset(&mut self, host: Host) {
        let dead = |process: &Process| process.host == host && process.is_dead();
        for pipe in self.pipes.values_mut() {
            let hears = !self.cut.contains(&(host, pipe.other(host)));
            if hears && (dead(pipe.writer()) || dead(pipe.reader())) {
                pipe.reset();
            }
        }
    }
}

/// The number in `node-3:7000`.
fn host_of(address: &str) -> io::Result<Host> {
    let number = address.split(':').next().and_then(|name| name.rsplit('-').next()?.parse().ok());
    number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no address of the simulated cluster"))
}

/// Where a host's process listens.
pub fn address(host: Host) -> String {
    format!("host-{host}:7000")
}

struct Dialling {
    network: Network,
    own: Process,
}

impl Dial for Dialling {
    fn channel(&self, address: &str, _: Target) -> anyhow::Result<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).context("no address")?;
        let (network, own, address) = (self.network.clone(), self.own.clone(), address.to_owned());
        let connector = tower::service_fn(move |_| {
            let (network, own, address) = (network.clone(), own.clone(), address.clone());
            async move { network.connect(&own, &address).await.map(TokioIo::new) }
        });
        Ok(grpc::with_limits(endpoint).connect_with_connector_lazy(connector))
    }
}

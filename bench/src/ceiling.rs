//! What this machine can do without any of our code.

use crate::measure::Sample;
use crate::process::own_cpu_seconds;
use anyhow::anyhow;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    thread::{ScopedJoinHandle, scope},
    time::{Duration, Instant},
};

const BLOCK_BYTES: usize = 256 << 10;
/// A request of the exchange: about what a small HTTP request is.
const QUESTION_BYTES: usize = 256;
/// A loopback peer that is silent for this long has died.
const SOCKET_DEADLINE: Duration = Duration::from_secs(60);

/// MB/s through one connection on loopback, in writes of 256 KiB.
pub(crate) fn loopback_stream(bytes: u64) -> anyhow::Result<Sample> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    timed(bytes as f64 / 1e6, || {
        scope(|scope| {
            let sender = scope.spawn(move || {
                let mut stream = connect(address)?;
                in_blocks(bytes, |block| stream.write_all(block))
            });
            let mut stream = accept(&listener)?;
            let mut block = vec![0; BLOCK_BYTES];
            while stream.read(&mut block)? > 0 {}
            joined(sender)
        })
    })
}

/// Small questions and answers of so many bytes a second, by so many connections at once.
pub(crate) fn loopback_exchange(count: u32, answer_bytes: u64, connections: usize) -> anyhow::Result<Sample> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let turns = count.div_ceil(connections as u32);
    timed(f64::from(turns) * connections as f64, || {
        scope(|scope| {
            let mut threads = Vec::new();
            for _ in 0..connections {
                let (mut asking, mut answering) = (connect(address)?, accept(&listener)?);
                threads.push(scope.spawn(move || {
                    let mut answer = vec![0; answer_bytes as usize];
                    (0..turns).try_for_each(|_| {
                        asking.write_all(&[1; QUESTION_BYTES])?;
                        asking.read_exact(&mut answer)
                    })
                }));
                threads.push(scope.spawn(move || {
                    let (mut question, answer) = ([0; QUESTION_BYTES], vec![2; answer_bytes as usize]);
                    (0..turns).try_for_each(|_| {
                        answering.read_exact(&mut question)?;
                        answering.write_all(&answer)
                    })
                }));
            }
            threads.into_iter().try_for_each(joined)
        })
    })
}

/// MB/s into one file that is durable in the end. `counted` of the `written` bytes are content, the rest is redundancy.
pub(crate) fn disk_stream(folder: &Path, written: u64, counted: u64) -> anyhow::Result<Sample> {
    let path = folder.join("stream");
    let sample = timed(counted as f64 / 1e6, || {
        let mut file = File::create(&path)?;
        in_blocks(written, |block| file.write_all(block))?;
        file.sync_all()
    });
    fs::remove_file(path)?;
    sample
}

/// Appends a second that are durable one by one, by so many writers at once, each with a file of its own.
pub(crate) fn disk_appends(folder: &Path, count: u32, bytes: u64, writers: usize) -> anyhow::Result<Sample> {
    let folder = folder.join("appends");
    fs::create_dir(&folder)?;
    let turns = count.div_ceil(writers as u32);
    let append = |writer: usize| {
        let mut file = OpenOptions::new().create(true).append(true).open(folder.join(writer.to_string()))?;
        let block = vec![7; bytes as usize];
        (0..turns).try_for_each(|_| {
            file.write_all(&block)?;
            file.sync_data()
        })
    };
    let sample = timed(f64::from(turns) * writers as f64, || {
        scope(|scope| {
            let append = &append;
            let threads: Vec<_> = (0..writers).map(|writer| scope.spawn(move || append(writer))).collect();
            threads.into_iter().try_for_each(joined)
        })
    });
    fs::remove_dir_all(folder)?;
    sample
}

/// Times `work`, which does `amount` in all; its processor time is that of this process.
fn timed(amount: f64, work: impl FnOnce() -> io::Result<()>) -> anyhow::Result<Sample> {
    let (begin, cpu) = (Instant::now(), own_cpu_seconds()?);
    work()?;
    let seconds = begin.elapsed().as_secs_f64();
    let client_cpu_seconds = Some(own_cpu_seconds()? - cpu);
    Ok(Sample { client_cpu_seconds, ..Sample::of(amount, seconds) })
}

fn in_blocks(bytes: u64, mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let block = vec![7; BLOCK_BYTES];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(BLOCK_BYTES as u64);
        write(&block[..now as usize])?;
        left -= now;
    }
    Ok(())
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    prepared(TcpStream::connect_timeout(&address, SOCKET_DEADLINE)?)
}

fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    prepared(listener.accept()?.0)
}

fn prepared(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SOCKET_DEADLINE))?;
    stream.set_write_timeout(Some(SOCKET_DEADLINE))?;
    Ok(stream)
}

fn joined(thread: ScopedJoinHandle<'_, io::Result<()>>) -> io::Result<()> {
    thread.join().unwrap_or_else(|_| Err(io::Error::other(anyhow!("a thread of a ceiling died"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sample: anyhow::Result<Sample>) {
        let sample = sample.unwrap();
        assert!(sample.rate.is_finite() && sample.rate > 0.0, "{sample:?}");
    }

    #[test]
    fn loopback_is_measured() {
        check(loopback_stream((3 * BLOCK_BYTES + 5) as u64));
        check(loopback_exchange(10, 4096, 4));
    }

    #[test]
    fn the_disk_is_measured_and_left_clean() {
        let folder = tempfile::tempdir().unwrap();
        check(disk_stream(folder.path(), 3_000, 2_000));
        check(disk_appends(folder.path(), 9, 4096, 4));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

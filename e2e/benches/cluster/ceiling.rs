//! What this machine can do without any of our code.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const BLOCK_BYTES: usize = 256 << 10;
const COPY_BYTES: usize = 256 << 20;
/// About the head of a small request.
const LINE_BYTES: usize = 128;

/// Megabytes a second from memory to memory.
pub(crate) fn memcpy() -> f64 {
    let from = vec![1_u8; COPY_BYTES];
    let mut to = vec![0_u8; COPY_BYTES];
    // The first round pays for the pages.
    to.copy_from_slice(&from);
    let begin = Instant::now();
    to.copy_from_slice(std::hint::black_box(&from));
    std::hint::black_box(&to);
    COPY_BYTES as f64 / 1e6 / begin.elapsed().as_secs_f64()
}

/// Megabytes a second through one connection on loopback.
pub(crate) async fn loopback_tcp(bytes: u64) -> anyhow::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let sender = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let block = vec![0; BLOCK_BYTES];
        for _ in 0..bytes / BLOCK_BYTES as u64 {
            stream.write_all(&block).await?;
        }
        stream.shutdown().await
    });
    let mut stream = TcpStream::connect(address).await?;
    let mut block = vec![0; BLOCK_BYTES];
    let (begin, mut received) = (Instant::now(), 0);
    loop {
        let count = stream.read(&mut block).await?;
        if count == 0 {
            break;
        }
        received += count;
    }
    sender.await??;
    Ok(received as f64 / 1e6 / begin.elapsed().as_secs_f64())
}

/// Questions of one line answered by `bytes`, a second, by so many connections at once.
pub(crate) async fn loopback_exchanges(bytes: usize, count: usize, clients: usize) -> anyhow::Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        for _ in 0..clients {
            let (mut stream, _) = listener.accept().await?;
            connections.spawn(async move {
                let (mut question, answer) = ([0; LINE_BYTES], vec![7; bytes]);
                while stream.read_exact(&mut question).await.is_ok() {
                    stream.write_all(&answer).await?;
                }
                std::io::Result::Ok(())
            });
        }
        while let Some(connection) = connections.join_next().await {
            connection??;
        }
        anyhow::Ok(())
    });
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            let mut answer = vec![0; bytes];
            for _ in 0..count / clients {
                stream.write_all(&[7; LINE_BYTES]).await?;
                stream.read_exact(&mut answer).await?;
            }
            std::io::Result::Ok(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let rate = (count / clients * clients) as f64 / begin.elapsed().as_secs_f64();
    server.await??;
    Ok(rate)
}

/// Megabytes a second into one file that is durable in the end.
pub(crate) fn disk_stream(folder: &Path, bytes: u64) -> anyhow::Result<f64> {
    let path = folder.join("stream");
    let block = vec![7; BLOCK_BYTES];
    let begin = Instant::now();
    let mut file = File::create(&path)?;
    for _ in 0..bytes / BLOCK_BYTES as u64 {
        file.write_all(&block)?;
    }
    file.sync_all()?;
    let rate = bytes as f64 / 1e6 / begin.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

/// Durable files a second, by so many writers at once.
pub(crate) fn disk_files(folder: &Path, bytes: usize, count: usize, writers: usize) -> anyhow::Result<f64> {
    let folder = folder.join("files");
    fs::create_dir(&folder)?;
    let block = vec![7; bytes];
    let write = |writer: usize| -> std::io::Result<()> {
        for number in (writer..count).step_by(writers) {
            let mut file = File::create(folder.join(number.to_string()))?;
            file.write_all(&block)?;
            file.sync_all()?;
        }
        Ok(())
    };
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers).map(|writer| scope.spawn(move || write(writer))).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(std::io::Error::other("a writer died")))
        })
    })?;
    let rate = count as f64 / begin.elapsed().as_secs_f64();
    fs::remove_dir_all(folder)?;
    Ok(rate)
}

//! One worker process: started with nothing of ours but three pipes, and never left behind.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{self, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::tag::Tag;
use crate::wire::{ANSWER_BYTES_MAX, Request, parse_answer};

/// A worker at the end of its input has nothing left to do.
const END: Duration = Duration::from_secs(2);
/// How long the end of a crashed process takes to be seen.
const CRASH: Duration = Duration::from_millis(100);
/// Starting a worker costs some milliseconds; so many files make that nothing.
const FILES_MAX: u32 = 500;
/// A worker's complaints are worth this many lines of our log, and lines this long; then it is only drained.
const LOG_LINES_MAX: usize = 50;
const LOG_LINE_BYTES_MAX: usize = 300;

#[derive(Debug)]
pub(super) struct Child {
    process: process::Child,
    questions: ChildStdin,
    answers: ChildStdout,
    asked: u32,
    _complaints: Complaints,
}

/// Reads the worker's stderr as long as the worker is ours.
#[derive(Debug)]
struct Complaints(JoinHandle<()>);

impl Child {
    /// Starts a worker with an empty environment, in `/`.
    pub(super) fn start(command: &[String]) -> io::Result<Self> {
        let [program, arguments @ ..] = command else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the tagger's command is empty"));
        };
        let mut process = Command::new(program)
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || io::Error::other("the worker has no pipe");
        let questions = process.stdin.take().ok_or_else(missing)?;
        let answers = process.stdout.take().ok_or_else(missing)?;
        let stderr = process.stderr.take().ok_or_else(missing)?;
        let complaints = Complaints(tokio::spawn(log_lines(stderr, process.id())));
        Ok(Self { process, questions, answers, asked: 0, _complaints: complaints })
    }

    /// Asks for the tags of one file. After an error, or when dropped half-way, the worker is of no more use.
    pub(super) async fn ask(&mut self, request: &Request) -> io::Result<Vec<Tag>> {
        self.asked += 1;
        self.questions.write_all(&request.preamble()?).await?;
        self.questions.write_all(request.content()).await?;
        self.questions.flush().await?;
        let length = self.answers.read_u32_le().await? as usize;
        if length > ANSWER_BYTES_MAX {
            return Err(io::Error::other(format!("an answer of {length} bytes")));
        }
        let mut answer = vec![0; length];
        self.answers.read_exact(&mut answer).await?;
        Ok(parse_answer(&answer)?)
    }

    /// The process id, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Whether the process still runs; one that doesn't is reaped by this.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Whether it has worked enough: what parsers leak must not add up to a crash on an innocent file.
    pub(super) const fn is_worn_out(&self) -> bool {
        self.asked >= FILES_MAX
    }

    /// Ends the worker for certain, and says what became of it.
    pub(super) async fn kill(mut self) -> String {
        // One that crashed is gone in a moment: then its own end is the news, not ours.
        if let Ok(Ok(status)) = timeout(CRASH, self.process.wait()).await {
            return status.to_string();
        }
        match self.process.kill().await {
            Ok(()) => "killed".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// Lets the worker come to its end by itself, as it does when its input ends.
    pub(super) async fn end(self) {
        let Self { mut process, questions, _complaints, .. } = self;
        drop(questions);
        if timeout(END, process.wait()).await.is_err() {
            let _gone_already = process.kill().await;
        }
    }
}

impl Drop for Complaints {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Passes the worker's complaints on, bounded, and drains the rest so that the worker never blocks on them.
async fn log_lines(mut stderr: ChildStderr, worker: Option<u32>) {
    let mut buffer = [0; 4096];
    let mut line = Vec::new();
    let mut lines = 0;
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        for &byte in &buffer[..count] {
            if byte != b'\n' && line.len() < LOG_LINE_BYTES_MAX {
                line.push(byte);
            } else if byte == b'\n' {
                lines += 1;
                if lines <= LOG_LINES_MAX {
                    tracing::info!(worker, line = %String::from_utf8_lossy(&line).trim(), "a tagger worker complains");
                }
                line.clear();
            }
        }
    }
}

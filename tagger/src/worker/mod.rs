//! The child process that parses what strangers uploaded.
//!
//! It reads questions from its standard input and answers on its standard output until the input ends, which is also how
//! it dies with its parent. Before the first question it gives up every right it doesn't need.

mod limits;

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::fd::AsFd;
use std::panic;

use tracing_subscriber::EnvFilter;

use crate::tag::Tag;
use crate::wire::{Request, write_answer};
use crate::{tag, tag_by_name};

/// The main loop of a worker process: call it first thing in `main`, before a runtime or any thread exists.
///
/// Returns when the input ends. An error means that the process was started wrongly or the parent is not a [`crate::Pool`].
pub fn run() -> io::Result<()> {
    if fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("a tagger worker must start before any other thread does"));
    }
    log_to_stderr();
    let answers = take_stdout()?;
    limits::confine()?;
    serve(BufReader::new(io::stdin().lock()), BufWriter::new(answers))
}

fn serve(mut questions: impl io::Read, mut answers: impl Write) -> io::Result<()> {
    while let Some(request) = Request::read(&mut questions)? {
        limits::grant_cpu_time()?;
        write_answer(&mut answers, &tags_of(&request))?;
    }
    Ok(())
}

fn tags_of(request: &Request) -> Vec<Tag> {
    let input = request.input();
    if input.content().is_empty() {
        tag_by_name(input.name, input.size, input.modified_ms)
    } else {
        tag(input)
    }
}

/// Keeps the pipe to the parent for answers alone: a parser that prints would break the protocol, so it prints to stderr.
fn take_stdout() -> io::Result<File> {
    let answers = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(File::from(answers))
}

/// Where it happened, without the message: a panic's text may quote the file, and logs are no place for that.
fn log_to_stderr() {
    let own = EnvFilter::new("asterism_tagger=warn");
    let builder = tracing_subscriber::fmt()
        .with_env_filter(own)
        .with_writer(io::stderr)
        .with_ansi(false)
        .without_time();
    if builder.try_init().is_err() {
        tracing::debug!("the process has its own log already");
    }
    panic::set_hook(Box::new(|panicked| {
        let location = panicked.location().map(ToString::to_string).unwrap_or_default();
        tracing::warn!(location, "a parser panicked");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::parse_answer;

    #[test]
    fn a_question_gets_the_answer_that_its_content_allows() {
        let check = |content: &[u8], format: &str, score: f32| {
            let mut answer = Vec::new();
            let request = Request::new("notes.txt", 6, 0, content.to_vec());
            write_answer(&mut answer, &tags_of(&request)).unwrap();
            let tags = parse_answer(&answer[4..]).unwrap();
            assert!(tags.iter().any(|tag| tag.name == format && tag.score == score), "{tags:?}");
        };
        check(b"words\n", "txt", 0.9);
        check(b"", "txt", 0.4);
    }
}

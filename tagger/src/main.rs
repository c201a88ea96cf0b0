//! Tags files from the command line, or as the child process of a server.

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use asterism_tagger::{CONTENT_BYTES_MAX, Pool, Request, TagError, tag_by_name, worker};
use serde_json::json;

const USAGE: &str = "usage: asterism-tagger FILE...   print the tags of files, one JSON object a line
       asterism-tagger worker    serve a parent process over stdin and stdout";
const FILE_TIMEOUT: Duration = Duration::from_secs(60);

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    match arguments.first().map(|first| first.to_str().unwrap_or_default()) {
        Some("worker") if arguments.len() == 1 => {
            worker::run().context("the worker failed")?;
            Ok(ExitCode::SUCCESS)
        }
        None | Some("-h" | "--help") => {
            writeln!(io::stderr(), "{USAGE}")?;
            Ok(if arguments.is_empty() { ExitCode::from(2) } else { ExitCode::SUCCESS })
        }
        Some(_) => print_tags(&arguments),
    }
}

/// Even here strangers' files are parsed in a worker: people try the tagger on downloads.
#[tokio::main(flavor = "current_thread")]
async fn print_tags(files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let program = env::current_exe()?.to_str().context("the path of this program is not UTF-8")?.to_owned();
    let pool = Pool::new(vec![program, "worker".to_owned()], 1, FILE_TIMEOUT);
    let mut code = ExitCode::SUCCESS;
    for file in files {
        if let Err(error) = print_tags_of(file, &pool).await {
            writeln!(io::stderr(), "{}: {error:#}", file.display())?;
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

async fn print_tags_of(file: &Path, pool: &Pool) -> anyhow::Result<()> {
    let request = request(file)?;
    let tags = match pool.tag(&request).await {
        Ok(tags) => tags,
        Err(error @ TagError::Unavailable(_)) => return Err(error.into()),
        Err(error) => {
            writeln!(io::stderr(), "{}: {error}; these tags are by name alone", file.display())?;
            let input = request.input();
            tag_by_name(input.name, input.size, input.modified_ms)
        }
    };
    writeln!(io::stdout(), "{}", json!({ "file": file.to_string_lossy(), "tags": tags }))?;
    Ok(())
}

fn request(path: &Path) -> anyhow::Result<Request> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    anyhow::ensure!(metadata.is_file(), "not a regular file");
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut content = Vec::new();
    file.take(CONTENT_BYTES_MAX as u64).read_to_end(&mut content)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Request::new(&name, metadata.len(), i64::try_from(modified.as_millis())?, content))
}

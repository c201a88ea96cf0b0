//! Where programs and directories are; a missing one is a failure with a sentence, never a reason to skip.

use anyhow::{Context, bail};
use std::env;
use std::path::{Path, PathBuf};

/// Debian keeps servers where an ordinary user's `PATH` does not look.
const SERVER_FOLDERS: &[&str] = &["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The root of the repository.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Finds a program that `make test-servers` installs.
///
/// # Errors
/// It is not there.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SERVER_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .with_context(|| format!("{name} is not installed: run `make test-servers`"))
}

/// The directory of `make test-servers` for what has no package.
pub fn servers() -> PathBuf {
    env::var_os("ASTERISM_TEST_SERVERS").map_or_else(|| target().join("servers"), PathBuf::from)
}

/// Cargo's target directory: where the running test lives, two folders up (`target/debug/deps/test-…`).
pub fn target() -> PathBuf {
    profile_folder()
        .and_then(|folder| folder.parent().map(Path::to_owned))
        .unwrap_or_else(|| repository().join("target"))
}

/// A binary of this workspace, from the same build as the running test, or the one that an environment variable names
/// (`ASTERISM_BIN` for `asterism`).
///
/// # Errors
/// It was not built.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let variable = format!("{}_BIN", name.to_uppercase().replace('-', "_"));
    let path = match env::var_os(&variable) {
        Some(path) => PathBuf::from(path),
        None => profile_folder().context("cannot tell where this test was built")?.join(name),
    };
    if !path.is_file() {
        bail!("{} is not there: run `make test-build`, or set {variable}", path.display());
    }
    Ok(path)
}

/// `target/debug` or `target/release`.
fn profile_folder() -> Option<PathBuf> {
    let test = env::current_exe().ok()?;
    test.parent()?.parent().map(Path::to_owned)
}

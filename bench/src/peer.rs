//! Others that do the same work, measured in the same run.

mod address;
mod beside;
mod minio;

use anyhow::ensure;
pub(crate) use beside::Beside;
pub(crate) use minio::{INSTALL as INSTALL_MINIO, NAME as MINIO};
use std::{
    env,
    path::{Path, PathBuf},
};

/// Where `make bench-peers` puts what it builds, seen from the directory of this program.
const BUILT: &str = "../peers";

/// A peer's program: the one that was named, one on the `PATH`, or one that `make bench-peers` built. None if it is not
/// installed; a named one must be there.
pub(crate) fn program(named: Option<&Path>, name: &str) -> anyhow::Result<Option<PathBuf>> {
    if let Some(path) = named {
        ensure!(path.is_file(), "{} is not there", path.display());
        return Ok(Some(path.to_owned()));
    }
    let built = env::current_exe()?.parent().map(|folder| folder.join(BUILT));
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&path).chain(built);
    Ok(folders.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_program_must_be_there_and_an_unnamed_one_may_be_missing() {
        assert!(program(Some(Path::new("/nowhere/minio")), "minio").is_err());
        assert!(program(Some(Path::new("/bin/sh")), "minio").unwrap().is_some());
        assert!(program(None, "sh").unwrap().is_some());
        assert!(program(None, "no-such-program").unwrap().is_none());
    }
}

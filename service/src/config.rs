//! Configuration files: TOML into one documented struct per process, which refuses what it does not know.

use anyhow::Context;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Reads a process's configuration.
///
/// # Errors
/// The file cannot be read, is not TOML, lacks a field or has an unknown one; the message names file and place.
pub fn load<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read configuration {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("configuration {} is not usable", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[allow(dead_code, reason = "only parsed")]
        listen: String,
    }

    fn check(text: &str) -> Result<Sample, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, text).unwrap();
        load(&path).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_typo_is_refused_by_name() {
        assert!(check("listen = 'a'").is_ok());
        assert!(check("listen = 'a'\nlisten_adress = 'b'").unwrap_err().contains("listen_adress"));
        assert!(check("").unwrap_err().contains("listen"));
    }
}

//! Where each sample comes from.

use super::Kind;
use crate::locate::{self, program};
use anyhow::{Context, ensure};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One sample: its name in the list and the package it is taken from.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) origin: Origin,
}

/// A place where files are found.
pub(super) enum Origin {
    /// A file of Debian's base system.
    System(PathBuf),
    /// The packed source of a crate that this workspace builds with.
    Crate(&'static str),
    /// A path inside a Python source distribution (name, version, path).
    Python(&'static str, &'static str, String),
    /// A path inside an npm package (name, version, path).
    Npm(&'static str, &'static str, String),
}

const LICENCES: &[&str] = &[
    "Apache-2.0",
    "Artistic",
    "BSD",
    "CC0-1.0",
    "GFDL-1.2",
    "GFDL-1.3",
    "GPL-1",
    "GPL-2",
    "GPL-3",
    "LGPL-2",
    "LGPL-2.1",
    "LGPL-3",
    "MPL-1.1",
    "MPL-2.0",
];

const CRATES: &[&str] = &["anyhow", "axum", "bytes", "serde", "tokio", "tonic", "tracing"];

const PDFS: &[&str] = &["01-valid.pdf", "02-valid.pdf", "04-valid.pdf", "05-versions-space.pdf"];

const WORD_FILES: &[(&str, Kind)] = &[
    ("blk-paras-and-tables.docx", Kind::Document),
    ("doc-coreprops.docx", Kind::Document),
    ("hdr-header-footer.docx", Kind::Document),
    ("par-hyperlinks.docx", Kind::Document),
    ("tbl-having-tables.docx", Kind::Document),
    ("court-exif.jpg", Kind::Jpeg),
    ("jfif-300-dpi.jpg", Kind::Jpeg),
    ("jpeg420exif.jpg", Kind::Jpeg),
    ("lena_std.jpg", Kind::Jpeg),
    ("lena.gif", Kind::Picture),
    ("mountain.bmp", Kind::Picture),
    ("sample.tif", Kind::Picture),
];

const SLIDE_FILES: &[(&str, Kind)] = &[
    ("cht-charts.pptx", Kind::Slides),
    ("prs-notes.pptx", Kind::Slides),
    ("shp-picture.pptx", Kind::Slides),
    ("just-two-mice.mp4", Kind::Video),
    ("just-two-mice.png", Kind::Picture),
];

const AUDIO_FILES: &[&str] = &[
    "has-tags.m4a",
    "id3v1v2-combined.mp3",
    "silence-44-s.mp3",
    "silence-44-s.flac",
    "silence-44-s.wv",
    "multipagecomment.ogg",
    "example.opus",
    "silence-2s-PCM-44100-16-ID3v23.wav",
    "with-id3.aif",
];

/// The same page in simplified and in traditional Chinese.
const CHINESE_FILES: &[(&str, &str)] =
    &[("README.zh-CN.md", "自述文件.md"), ("README.zh-TW.md", "說明文件.md")];

/// The whole list, in one order on every machine.
pub(super) fn sources() -> Vec<Source> {
    let mut list = Vec::new();
    let mut add = |name: String, kind, origin| list.push(Source { name, kind, origin });
    for name in LICENCES {
        let path = Path::new("/usr/share/common-licenses").join(name);
        add((*name).to_owned(), Kind::Text, Origin::System(path));
    }
    for name in CRATES {
        add(format!("{name}.tar.gz"), Kind::Archive, Origin::Crate(name));
    }
    for name in PDFS {
        add((*name).to_owned(), Kind::Pdf, Origin::Npm("pdf-parse", "1.1.1", format!("test/data/{name}")));
    }
    for (name, kind) in WORD_FILES {
        let path = format!("features/steps/test_files/{name}");
        add((*name).to_owned(), *kind, Origin::Python("python-docx", "1.1.2", path));
    }
    for (name, kind) in SLIDE_FILES {
        let path = format!("features/steps/test_files/{name}");
        add((*name).to_owned(), *kind, Origin::Python("python-pptx", "1.0.2", path));
    }
    for name in AUDIO_FILES {
        let path = format!("tests/data/{name}");
        add((*name).to_owned(), Kind::Audio, Origin::Python("mutagen", "1.47.0", path));
    }
    for (path, name) in CHINESE_FILES {
        add((*name).to_owned(), Kind::Text, Origin::Npm("@biomejs/biome", "2.6.8", (*path).to_owned()));
    }
    list
}

impl Origin {
    /// The file on this machine; a package is fetched and unpacked below `folder` when it is met first.
    pub(super) fn find(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        match self {
            Self::System(path) => Ok(path.clone()),
            Self::Crate(name) => crate_archive(name),
            Self::Python(name, version, path) => {
                Ok(unpacked(folder, name, version, fetch_python)?.join(path))
            }
            Self::Npm(name, version, path) => Ok(unpacked(folder, name, version, fetch_npm)?.join(path)),
        }
    }
}

/// Cargo keeps the archive of each crate that it has built; which version that is stands in the lock file.
fn crate_archive(name: &str) -> anyhow::Result<PathBuf> {
    let lock = fs::read_to_string(locate::repository().join("Cargo.lock"))?;
    let version = locked_version(&lock, name).with_context(|| format!("{name} is not in Cargo.lock"))?;
    let cargo_home = match (env::var_os("CARGO_HOME"), env::var_os("HOME")) {
        (Some(home), _) => PathBuf::from(home),
        (None, Some(home)) => Path::new(&home).join(".cargo"),
        (None, None) => anyhow::bail!("neither CARGO_HOME nor HOME is set"),
    };
    let archive = format!("{name}-{version}.crate");
    let registries = fs::read_dir(cargo_home.join("registry/cache"))?.flatten();
    let mut candidates = registries.map(|registry| registry.path().join(&archive));
    candidates.find(|path| path.is_file()).with_context(|| format!("{archive} is not in cargo's cache"))
}

fn locked_version<'lock>(lock: &'lock str, name: &str) -> Option<&'lock str> {
    let (_, package) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
    package.split('"').next()
}

/// The unpacked content of a package. It is fetched and unpacked into a fresh directory, which gets its name in the end.
fn unpacked(
    folder: &Path,
    name: &str,
    version: &str,
    fetch: fn(&str, &str, &Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let target = folder.join(format!("{}-{version}", name.replace('/', "+")));
    if target.is_dir() {
        return Ok(target);
    }
    let work = tempfile::Builder::new().prefix("unpack-").tempdir_in(folder)?;
    let (download, content) = (work.path().join("download"), work.path().join("content"));
    fs::create_dir(&download)?;
    fs::create_dir(&content)?;
    fetch(name, version, &download)?;
    let archive = fs::read_dir(&download)?.next().context("nothing was downloaded")??.path();
    run(Command::new(program("tar")?)
        .arg("--extract")
        .arg("--file")
        .arg(&archive)
        .args(["--strip-components=1", "--no-same-owner", "--directory"])
        .arg(&content))?;
    fs::rename(&content, &target)?;
    Ok(target)
}

fn fetch_python(name: &str, version: &str, download: &Path) -> anyhow::Result<()> {
    run(Command::new(program("python3")?)
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check"])
        .args(["--no-deps", "--no-binary", ":all:", "--dest"])
        .arg(download)
        .arg(format!("{name}=={version}")))
}

fn fetch_npm(name: &str, version: &str, download: &Path) -> anyhow::Result<()> {
    run(Command::new(program("npm")?)
        .args(["pack", "--silent", "--pack-destination"])
        .arg(download)
        .arg(format!("{name}@{version}")))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_very_package() {
        let lock =
            "name = \"serde_json\"\nversion = \"1.0\"\n\n[[package]]\nname = \"serde\"\nversion = \"2.1\"\n";
        assert_eq!(locked_version(lock, "serde"), Some("2.1"));
        assert_eq!(locked_version(lock, "json"), None);
    }
}

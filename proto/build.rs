//! Compiles the schema without an installed `protoc`.

use std::{fmt::Write, path::PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let files = ["storage/v1/storage.proto", "index/v1/index.proto", "monitor/v1/monitor.proto"];
    let paths = files.map(|file| root.join("asterism").join(file));
    for path in &paths {
        println!("cargo:rerun-if-changed={}", path.display());
    }
    let descriptors = protox::compile(&paths, [&root])?;
    let mut methods = String::from("&[");
    for file in &descriptors.file {
        for service in &file.service {
            for method in &service.method {
                write!(methods, "\"/{}.{}/{}\",", file.package(), service.name(), method.name())?;
            }
        }
    }
    methods.push(']');
    std::fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("methods.rs"), methods)?;
    tonic_prost_build::configure()
        .codec_path("crate::codec::SizedCodec")
        .bytes(".asterism.storage.v1.Cell")
        .compile_fds(descriptors)?;
    Ok(())
}

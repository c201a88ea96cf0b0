//! Commands on files and folders.

use crate::cli::output;
use anyhow::{Context, bail};
use asterism_client::{Client, Error, types::Entry};
use serde_json::json;
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};
use uuid::Uuid;

pub(crate) async fn put(client: &Client, paths: &[String], json: bool) -> anyhow::Result<()> {
    let Some((target, sources)) = paths.split_last() else { bail!("what to put, and where?") };
    let into_folder = sources.len() > 1
        || target.ends_with('/')
        || sources.iter().any(|source| Path::new(source).is_dir())
        || is_folder(client, target).await?;
    let mut work = VecDeque::new();
    for source in sources {
        let local = PathBuf::from(source);
        let place = if into_folder { join(target, file_name(&local)?) } else { target.clone() };
        collect(local, place, &mut work)?;
    }
    let mut stored = Vec::with_capacity(work.len());
    let mut failed = 0;
    for (local, place) in work {
        match put_one(client, &local, &place).await {
            Ok(entry) => stored.push(entry),
            Err(error) => {
                eprintln!("asterism: {}: {:#}", output::shown(&place), anyhow::Error::from(error));
                failed += 1;
            }
        }
    }
    output::print(json, &stored, || {
        let rows = stored.iter().map(|entry| {
            let survives = entry.redundancy.map_or_else(|| "?".into(), |losses| losses.to_string());
            vec![entry.path.clone(), output::bytes(entry.size.unwrap_or(0)), survives]
        });
        output::table(&["STORED", "SIZE", "SURVIVES LOSSES"], &rows.collect::<Vec<_>>())
    })?;
    if failed > 0 {
        bail!("{failed} of {} files were not stored", failed + stored.len());
    }
    Ok(())
}

async fn put_one(client: &Client, local: &Path, place: &str) -> Result<Entry, Error> {
    let bytes = local.metadata().map(|metadata| metadata.len()).ok();
    let bar = output::bar(bytes, place);
    let key = Uuid::new_v4().to_string();
    let stored = client.put_file(local, place, &key, output::progress(&bar)).await;
    bar.finish_and_clear();
    stored
}

/// The files below `local`, with their places; links are not followed, so a loop cannot be.
fn collect(local: PathBuf, place: String, work: &mut VecDeque<(PathBuf, String)>) -> anyhow::Result<()> {
    let metadata = local.metadata().with_context(|| local.display().to_string())?;
    if !metadata.is_dir() {
        work.push_back((local, place));
        return Ok(());
    }
    let mut children: Vec<PathBuf> =
        std::fs::read_dir(&local)?.map(|child| Ok(child?.path())).collect::<std::io::Result<_>>()?;
    children.sort();
    for child in children {
        if child.symlink_metadata()?.is_symlink() {
            eprintln!("asterism: {} is a link, left out", child.display());
            continue;
        }
        let place = join(&place, file_name(&child)?);
        collect(child, place, work)?;
    }
    Ok(())
}

fn file_name(local: &Path) -> anyhow::Result<&str> {
    let name = local.file_name().with_context(|| format!("{} has no name", local.display()))?;
    name.to_str().with_context(|| format!("the name {} is not UTF-8", local.display()))
}

fn join(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

async fn is_folder(client: &Client, path: &str) -> anyhow::Result<bool> {
    if path.trim_matches('/').is_empty() {
        return Ok(true);
    }
    match client.stat(path).await {
        Ok(entry) => Ok(entry.kind == "folder"),
        Err(error) if error.code() == Some("not_found") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn get(
    client: &Client,
    path: &str,
    output: Option<PathBuf>,
    json: bool,
) -> anyhow::Result<()> {
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let local = output.unwrap_or_else(|| PathBuf::from(name));
    let bar = output::bar(None, path);
    let length = bar.clone();
    let started = move |bytes: Option<u64>| length.set_length(bytes.unwrap_or(0));
    let progress = output::progress(&bar);
    if local == Path::new("-") {
        client.get_to(path, &mut tokio::io::stdout(), started, &progress).await?;
        return Ok(());
    }
    let local = if local.is_dir() { local.join(name) } else { local };
    let bytes = client.get_file(path, &local, started, &progress).await?;
    bar.finish_and_clear();
    let facts = json!({ "path": path, "file": local.display().to_string(), "size": bytes });
    output::print(json, &facts, || {
        format!("{} → {} ({})", output::shown(path), local.display(), output::bytes(bytes))
    })
}

pub(crate) async fn ls(client: &Client, path: &str, json: bool) -> anyhow::Result<()> {
    let mut entries = Vec::new();
    let mut cursor = None;
    match client.list(path, None).await {
        Ok(page) => {
            entries.extend(page.items);
            cursor = page.next;
        }
        // Like `ls FILE`.
        Err(error) if error.code() == Some("not_found") => entries.push(client.stat(path).await?),
        Err(error) => return Err(error.into()),
    }
    while let Some(at) = cursor {
        let page = client.list(path, Some(&at)).await?;
        entries.extend(page.items);
        cursor = page.next;
    }
    output::print(json, &entries, || output::table(&["SIZE", "MODIFIED", "NAME"], &rows(&entries)))
}

fn rows(entries: &[Entry]) -> Vec<Vec<String>> {
    let row = |entry: &Entry| {
        let folder = entry.kind == "folder";
        let size = entry.size.map_or_else(|| "-".into(), output::bytes);
        let name = if folder { format!("{}/", entry.name) } else { entry.name.clone() };
        vec![size, entry.modified_at.chars().take(16).collect(), name]
    };
    entries.iter().map(row).collect()
}

pub(crate) async fn mv(client: &Client, from: &str, to: &str, json: bool) -> anyhow::Result<()> {
    let name = from.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let to = if is_folder(client, to).await? { join(to, name) } else { to.to_owned() };
    let entry = client.move_entry(from, &to).await?;
    output::print(json, &entry, || format!("{} → {}", output::shown(from), output::shown(&entry.path)))
}

pub(crate) async fn rm(client: &Client, paths: &[String], json: bool) -> anyhow::Result<()> {
    for path in paths {
        client.remove(path).await.with_context(|| output::shown(path))?;
    }
    output::print(json, &json!({ "trashed": paths }), String::new)
}

pub(crate) async fn restore(client: &Client, path: Option<&str>, json: bool) -> anyhow::Result<()> {
    if let Some(path) = path {
        let entry = client.restore(path).await?;
        return output::print(json, &entry, || format!("restored {}", output::shown(&entry.path)));
    }
    let mut trashed = Vec::new();
    let mut cursor = None;
    loop {
        let page = client.trash(cursor.as_deref()).await?;
        trashed.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    output::print(json, &trashed, || {
        let rows = trashed
            .iter()
            .map(|item| vec![item.trashed_at.clone(), item.expires_at.clone(), item.path.clone()]);
        output::table(&["TRASHED", "GOES AT", "PATH"], &rows.collect::<Vec<_>>())
    })
}

pub(crate) async fn mkdir(client: &Client, path: &str, json: bool) -> anyhow::Result<()> {
    let entry = client.mkdir(path).await?;
    output::print(json, &entry, String::new)
}

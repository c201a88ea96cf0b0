//! Commands on tags and search.

use crate::{args::Tag, cli::output};
use asterism_client::{
    Client,
    types::{Entry, Page},
};
use serde_json::json;

pub(crate) async fn find(client: &Client, query: &str, all: bool, json: bool) -> anyhow::Result<()> {
    let mut found: Page<Entry> = client.search(query, None).await?;
    while let (true, Some(cursor)) = (all, found.next.take()) {
        let page = client.search(query, Some(&cursor)).await?;
        found.items.extend(page.items);
        found.next = page.next;
    }
    output::print(json, &found, || {
        let rows = found.items.iter().map(|entry| {
            let tags = entry.tags.iter().flatten().map(|tag| tag.name.as_str());
            vec![
                output::bytes(entry.size.unwrap_or(0)),
                entry.path.clone(),
                tags.collect::<Vec<_>>().join(" "),
            ]
        });
        let mut text = output::table(&["SIZE", "PATH", "TAGS"], &rows.collect::<Vec<_>>());
        if found.next.is_some() {
            text.push_str("\n… and more: --all shows everything");
        }
        text
    })
}

pub(crate) async fn tag(client: &Client, command: Tag, json: bool) -> anyhow::Result<()> {
    let path = match &command {
        Tag::Add { path, tags } => {
            for tag in tags {
                client.add_tag(path, tag).await?;
            }
            path
        }
        Tag::Rm { path, tags } => {
            for tag in tags {
                client.remove_tag(path, tag).await?;
            }
            path
        }
        Tag::Ls { path } => path,
    };
    let tags = client.tags(path).await?;
    output::print(json, &json!({ "path": path, "tags": tags }), || {
        let rows = tags.iter().map(|tag| {
            let score = format!("{:.2}", tag.score);
            vec![
                tag.name.clone(),
                tag.kind.clone(),
                tag.source.clone(),
                score,
                tag.state.clone(),
                tag.evidence.clone(),
            ]
        });
        output::table(&["TAG", "KIND", "FROM", "SCORE", "STATE", "WHY"], &rows.collect::<Vec<_>>())
    })
}

pub(crate) async fn related(client: &Client, tag: &str, json: bool) -> anyhow::Result<()> {
    let tags = client.related(tag).await?;
    output::print(json, &tags, || {
        let rows = tags.iter().map(|tag| {
            let score = tag.score.map_or_else(String::new, |score| format!("{score:.2}"));
            vec![tag.name.clone(), tag.kind.clone(), tag.files.to_string(), score]
        });
        output::table(&["TAG", "KIND", "FILES", "NEARNESS"], &rows.collect::<Vec<_>>())
    })
}

pub(crate) async fn similar(client: &Client, path: &str, json: bool) -> anyhow::Result<()> {
    let files = client.similar(path).await?;
    output::print(json, &files, || {
        let rows = files
            .iter()
            .map(|file| vec![format!("{:.2}", file.score), file.path.clone(), file.shared.join(" ")]);
        output::table(&["NEARNESS", "PATH", "SHARED TAGS"], &rows.collect::<Vec<_>>())
    })
}

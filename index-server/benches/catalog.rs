//! What the catalog costs per call when it holds ten thousand files, a hundred thousand and a million:
//! `cargo bench -p asterism-index-server [-- DIR]`.
//!
//! Rows are made by SQL, in folders of 500 files with three tags each. Shown is the median of each call in milliseconds, and what it
//! grew by from the first size to the last. What waits for the disk (`commit`) is measured with one writer and with 32.

use anyhow::Context;
use asterism_index_server::{
    catalog::{Catalog, LogicalPath, NewExtent, NewFile, OwnerScope, Replace, Role, Topic, Tx, UserName},
    graph::{SqlGraph, TagGraph},
    query::Query,
};
use asterism_proto::ExtentId;
use futures::future::try_join_all;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];
const FILES_PER_FOLDER: u64 = 500;
const WRITERS: usize = 32;

fn main() -> anyhow::Result<()> {
    let chosen = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let parent = chosen.map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = parent.join(format!("asterism-catalog-bench-{}", std::process::id()));
    std::fs::create_dir(&directory).with_context(|| directory.display().to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(measure(&directory));
    std::fs::remove_dir_all(&directory)?;
    print(&measured?);
    Ok(())
}

/// A call and its median times, one for each size.
type Row = (&'static str, Vec<f64>);

async fn measure(directory: &Path) -> anyhow::Result<Vec<Row>> {
    let catalog = Catalog::open(&format!("sqlite://{}/catalog.db", directory.display())).await?;
    let owner: UserName = "ada".parse()?;
    catalog.create_user(&owner, "$argon2id$none", Role::Editor).await?;
    let mut bench =
        Bench { graph: SqlGraph::new(catalog.database().clone()), catalog, owner, files: 0, new: 0 };
    let mut rows: Vec<Row> = Vec::new();
    for size in SIZES {
        bench.grow_to(size).await?;
        for (place, (name, milliseconds)) in bench.calls().await?.into_iter().enumerate() {
            match rows.get_mut(place) {
                Some((_, all)) => all.push(milliseconds),
                None => rows.push((name, vec![milliseconds])),
            }
        }
    }
    Ok(rows)
}

struct Bench {
    catalog: Catalog,
    graph: SqlGraph,
    owner: UserName,
    files: u64,
    /// Files that were committed one by one.
    new: u64,
}

impl Bench {
    /// Adds files until there are `size`.
    async fn grow_to(&mut self, size: u64) -> anyhow::Result<()> {
        while self.files < size {
            let (from, to) = (self.files, (self.files + 50_000).min(size));
            let written = self.catalog.database().write(move |mut tx| async move {
                let written = add(&mut tx, from as i64, to as i64).await;
                (tx, written)
            });
            written.await?;
            self.files = to;
        }
        Ok(())
    }

    async fn calls(&mut self) -> anyhow::Result<Vec<(&'static str, f64)>> {
        let (catalog, owner, files) = (self.catalog.clone(), self.owner.clone(), self.files);
        let scope = OwnerScope::One(owner.clone());
        let path = |number: u64| -> anyhow::Result<LogicalPath> {
            Ok(format!("/d{:05}/file-{number:07}.txt", number / FILES_PER_FOLDER).parse()?)
        };
        let mut rows = Vec::new();
        let stat = async |turn: u64| {
            let entry = catalog.stat(&owner, &path(turn * 7919 % files)?).await?;
            let content = entry.content.context("a file has content")?;
            catalog.extents(content.id, 0..u64::MAX).await?;
            anyhow::Ok(())
        };
        rows.push(("stat and extents", median(500, stat).await?));
        let folder: LogicalPath = "/d00007".parse()?;
        let list = async |_| anyhow::Ok(catalog.list(&owner, &folder, None, 100).await.map(drop)?);
        rows.push(("list 100 of a folder", median(100, list).await?));
        for (name, query) in [
            ("search by a rare name", "file-0004711"),
            ("search by a tag", "tag:word-007"),
            ("search by two tags", "tag:word-007 tag:word-077"),
        ] {
            let query: Query = query.parse()?;
            let search = async |_| anyhow::Ok(catalog.search(&scope, &query, None, 50).await.map(drop)?);
            rows.push((name, median(20, search).await?));
        }
        let names = async |_| anyhow::Ok(catalog.tag_names(&owner, "word-00", None, 20).await.map(drop)?);
        rows.push(("names of tags by prefix", median(5, names).await?));
        let counts = async |_| {
            catalog.outbox_pending(Topic::Tag, 0, 256).await?;
            catalog.outbox_count(Topic::Graph).await?;
            catalog.short_count().await?;
            catalog.short_all(None, 1000).await?;
            catalog.removal_count().await?;
            anyhow::Ok(())
        };
        rows.push(("what workers look for", median(100, counts).await?));
        let totals = async |_| anyhow::Ok(catalog.totals().await.map(drop)?);
        rows.push(("totals", median(5, totals).await?));
        let counts = async |_| anyhow::Ok(self.graph.counts().await.map(drop)?);
        rows.push(("counts of the graph", median(3, counts).await?));
        let begin = self.new;
        let commit = async |turn| self.commit(begin + turn).await;
        rows.push(("commit, alone", median(200, commit).await?));
        let together = async |turn: u64| {
            let first = begin + 200 + turn * WRITERS as u64;
            try_join_all((first..first + WRITERS as u64).map(|number| self.commit(number))).await.map(drop)
        };
        rows.push(("32 commits at once", median(20, together).await?));
        self.new += 200 + 20 * WRITERS as u64;
        Ok(rows)
    }

    async fn commit(&self, number: u64) -> anyhow::Result<()> {
        let extent = NewExtent {
            id: ExtentId::random(),
            seq: 0,
            file_offset: 0,
            bytes: 4096,
            group: 7,
            data: 1,
            parity: 2,
            cell_bytes: 262_144,
            short_slots: Vec::new(),
            nodes: Vec::new(),
        };
        let file = NewFile {
            owner: self.owner.clone(),
            path: format!("/new/{}/{number}", number / FILES_PER_FOLDER).parse()?,
            size: 4096,
            blake3: [7; 32],
            media_type: "text/plain".into(),
            extents: vec![extent],
            replace: Replace::Any,
            idempotency: None,
            create_parents: true,
        };
        Ok(self.catalog.commit_file(&file).await.map(drop)?)
    }
}

async fn median<T>(times: u64, call: impl AsyncFn(u64) -> anyhow::Result<T>) -> anyhow::Result<f64> {
    let mut took: Vec<Duration> = Vec::new();
    for turn in 0..times {
        let begin = Instant::now();
        call(turn).await?;
        took.push(begin.elapsed());
    }
    took.sort();
    Ok(took[took.len() / 2].as_secs_f64() * 1e3)
}

/// Files `from .. to` with their folders, extents, tags and the graph.
async fn add(tx: &mut Tx, from: i64, to: i64) -> Result<(), asterism_index_server::catalog::CatalogError> {
    const STATEMENTS: [&str; 9] = [
        "INSERT INTO tags (kind, name) SELECT 'keyword', CAST(printf('word-%03d', i) AS BLOB) FROM n WHERE i < 200 AND ?1 = 0",
        "INSERT INTO entries (owner, parent, name, name_folded, kind, created_ms, modified_ms) \
         SELECT 'ada', 0, CAST(printf('d%05d', i / 500) AS BLOB), CAST(printf('d%05d', i / 500) AS BLOB), 0, 1, 1 FROM n WHERE i % 500 = 0",
        "INSERT INTO contents (size, blake3, media_type, created_ms) SELECT 4096 + i % 1000, randomblob(32), CAST('text/plain' AS BLOB), 1000000 + i FROM n",
        "INSERT INTO entries (owner, parent, name, name_folded, kind, content, created_ms, modified_ms) \
         SELECT 'ada', (SELECT id FROM entries WHERE owner = 'ada' AND parent = 0 AND name = CAST(printf('d%05d', i / 500) AS BLOB)), \
         CAST(printf('file-%07d.txt', i) AS BLOB), CAST(printf('file-%07d.txt', i) AS BLOB), 1, \
         (SELECT MAX(id) FROM contents) - ?2 + 1 + i, 1, 1 FROM n",
        "INSERT INTO extents (id, content, seq, file_offset, bytes, group_id, data, parity, cell_bytes) \
         SELECT randomblob(16), (SELECT MAX(id) FROM contents) - ?2 + 1 + i, 0, 0, 4096, i % 256, 1, 2, 262144 FROM n",
        "INSERT INTO taggings (entry, tag, source, version, score, evidence, state) \
         SELECT (SELECT MAX(id) FROM entries) - ?2 + 1 + i, 1 + i % 50, 'builtin', '1', 0.5, x'', 0 FROM n",
        "INSERT INTO taggings (entry, tag, source, version, score, evidence, state) \
         SELECT (SELECT MAX(id) FROM entries) - ?2 + 1 + i, 51 + i % 149, 'builtin', '1', 0.5, x'', 0 FROM n",
        "INSERT INTO graph_files (entry, owner, name, path, size) \
         SELECT (SELECT MAX(id) FROM entries) - ?2 + 1 + i, 'ada', x'61', x'2f61', 4096 FROM n",
        "INSERT INTO graph_edges (entry, kind, name, owner, score) \
         SELECT (SELECT MAX(id) FROM entries) - ?2 + 1 + i, 'keyword', CAST(printf('word-%03d', i % 50) AS BLOB), 'ada', 0.5 FROM n",
    ];
    for statement in STATEMENTS {
        let text = format!(
            "{} ",
            statement.replacen(
                "SELECT",
                "WITH RECURSIVE n (i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2) SELECT",
                1
            )
        );
        sqlx::query(asterism_index_server::catalog::sql(text)).bind(from).bind(to).execute(&mut **tx).await?;
    }
    Ok(())
}

fn print(rows: &[Row]) {
    let mut out = format!("{:<26}", "median ms with files:");
    SIZES.iter().for_each(|size| out += &format!("{size:>12}"));
    out += &format!("{:>10}\n", "grew by");
    for (name, times) in rows {
        out += &format!("{name:<26}");
        times.iter().for_each(|time| out += &format!("{time:>12.3}"));
        let grew = times.last().zip(times.first()).map_or(1.0, |(last, first)| last / first);
        out += &format!("{grew:>9.1}x\n");
    }
    eprint!("{out}");
}

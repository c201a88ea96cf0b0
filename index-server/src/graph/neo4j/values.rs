//! Parameters for statements, and columns out of rows.

use super::{BoltType, EntryId, GraphError, OwnerScope, Projection, Result, Row, Tag, TagKey};
use neo4rs::{BoltMap, BoltNull};
use serde::de::DeserializeOwned;

pub(super) fn null() -> BoltType {
    BoltType::Null(BoltNull)
}

pub(super) fn text(text: &str) -> BoltType {
    text.into()
}

/// A limit; all of them are small.
pub(super) fn size(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn owner(scope: &OwnerScope) -> BoltType {
    scope.user().map_or_else(null, |user| text(user.as_str()))
}

pub(super) fn ids(entries: &[EntryId]) -> Vec<BoltType> {
    entries.iter().map(|entry| entry.0.into()).collect()
}

/// Tags with their places, for answers that come in any order.
pub(super) fn keys(tags: &[TagKey<'_>]) -> Vec<BoltType> {
    let key = |(place, (kind, name)): (usize, &TagKey<'_>)| {
        map([("place", size(place).into()), ("kind", text(kind)), ("name", text(name))])
    };
    tags.iter().enumerate().map(key).collect()
}

/// Tags as `[kind, name]`.
pub(super) fn pairs<'t>(tags: impl IntoIterator<Item = &'t Tag>) -> Vec<BoltType> {
    tags.into_iter().map(|tag| vec![text(tag.kind()), text(tag.name())].into()).collect()
}

pub(super) fn file_rows(files: &[Projection]) -> Vec<BoltType> {
    let row = |file: &Projection| {
        map([
            ("id", file.entry.0.into()),
            ("owner", text(file.owner.as_str())),
            ("name", text(&file.name)),
            ("path", text(file.path.as_str())),
            ("size", i64::try_from(file.size).unwrap_or(i64::MAX).into()),
            ("tags", pairs(file.tags.iter().map(|tagging| &tagging.tag)).into()),
        ])
    };
    files.iter().map(row).collect()
}

pub(super) fn edge_rows(files: &[Projection]) -> Vec<BoltType> {
    let row = |file: &Projection, tag: &Tag, score: f64| {
        map([
            ("file", file.entry.0.into()),
            ("owner", text(file.owner.as_str())),
            ("kind", text(tag.kind())),
            ("name", text(tag.name())),
            ("score", score.into()),
        ])
    };
    let rows = files
        .iter()
        .flat_map(|file| file.tags.iter().map(move |tagging| row(file, &tagging.tag, tagging.score)));
    rows.collect()
}

fn map<const N: usize>(entries: [(&str, BoltType); N]) -> BoltType {
    let mut map = BoltMap::with_capacity(N);
    for (key, value) in entries {
        map.put(key.into(), value);
    }
    BoltType::Map(map)
}

pub(super) fn column<T: DeserializeOwned>(row: &Row, name: &str) -> Result<T> {
    row.get(name).map_err(|error| GraphError::Internal(format!("column {name}: {error}").into()))
}

/// A size or count; none without a row.
pub(super) fn number(row: Option<&Row>, name: &str) -> Result<u64> {
    let number: i64 = row.map_or(Ok(0), |row| column(row, name))?;
    u64::try_from(number).map_err(|_| GraphError::Internal(format!("column {name} is negative").into()))
}

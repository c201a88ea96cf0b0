//! How far walks over everything have come, so that a restart does not begin them anew.

use super::{
    Catalog, Result, Tx,
    dialect::{sql, values},
    row::{Columns, signed},
};
use asterism_proto::ExtentId;

/// A walk over all extents as it stands. Times are of this machine's clock, for people and for pauses: no order rests on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Counts from 1; 0 if there was none yet.
    pub pass: u64,
    /// The last extent that this pass has dealt with; none at its beginning.
    pub after: Option<ExtentId>,
    /// Unix milliseconds.
    pub began_ms: i64,
    /// Unix milliseconds; none while it is under way.
    pub ended_ms: Option<i64>,
    /// Extents in this pass.
    pub seen: u64,
    /// Shards that were not what they should be, in this pass.
    pub found: u64,
    /// Shards that could not be looked at, in this pass.
    pub skipped: u64,
    /// How long the last whole pass took, in milliseconds; none before the first.
    pub last_ms: Option<u64>,
}

impl Catalog {
    /// The walk called `name`.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn walk(&self, name: &str) -> Result<Walk> {
        self.look(move |mut tx| async move {
            let walk = find(&mut tx, name).await;
            (tx, walk)
        })
        .await
    }

    /// Notes how far the walk called `name` has come.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn set_walk(&self, name: &str, walk: &Walk) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = set(&mut tx, name, walk).await;
            (tx, done)
        })
        .await
    }

    /// How many extents there are beyond `after`. It looks at every one: ask seldom.
    ///
    /// # Errors
    /// [`super::CatalogError::Unavailable`].
    pub async fn extents_left(&self, after: Option<ExtentId>) -> Result<u64> {
        self.look(move |mut tx| async move {
            let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            let query = sqlx::query("SELECT COUNT(*) AS extents FROM extents WHERE id > ?").bind(after);
            let row = query.fetch_one(&mut *tx).await;
            let count = row.map_err(Into::into).and_then(|row| row.number("extents"));
            (tx, count)
        })
        .await
    }
}

const COLUMNS: [&str; 8] = ["pass", "after", "began_ms", "ended_ms", "seen", "found", "skipped", "last_ms"];

async fn find(tx: &mut Tx, name: &str) -> Result<Walk> {
    let select = format!("SELECT {} FROM walks WHERE name = ?", COLUMNS.join(", "));
    let Some(row) = sqlx::query(sql(select)).bind(name).fetch_optional(&mut **tx).await? else {
        return Ok(Walk::default());
    };
    let after = row.bytes("after")?;
    let (ended_ms, last_ms): (i64, u64) = (row.number("ended_ms")?, row.number("last_ms")?);
    Ok(Walk {
        pass: row.number("pass")?,
        after: if after.is_empty() { None } else { Some(super::extents::extent_id(&row, "after")?) },
        began_ms: row.number("began_ms")?,
        ended_ms: (ended_ms != 0).then_some(ended_ms),
        seen: row.number("seen")?,
        found: row.number("found")?,
        skipped: row.number("skipped")?,
        last_ms: (last_ms != 0).then_some(last_ms),
    })
}

async fn set(tx: &mut Tx, name: &str, walk: &Walk) -> Result<()> {
    let (set, columns) = (tx.dialect().or_set("name", &COLUMNS), COLUMNS.join(", "));
    sqlx::query(sql(format!("INSERT INTO walks (name, {columns}) VALUES {}{set}", values(9, 1))))
        .bind(name)
        .bind(signed(walk.pass)?)
        .bind(walk.after.map_or_else(Vec::new, |id| id.as_bytes().to_vec()))
        .bind(walk.began_ms)
        .bind(walk.ended_ms.unwrap_or(0))
        .bind(signed(walk.seen)?)
        .bind(signed(walk.found)?)
        .bind(signed(walk.skipped)?)
        .bind(signed(walk.last_ms.unwrap_or(0))?)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

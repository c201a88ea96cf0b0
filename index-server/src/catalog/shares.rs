//! How much of the groups each node takes, and the nodes that give all of it away.

use super::{
    Catalog, CatalogError, Intent, Result, Tx,
    dialect::{sql, values},
    row::{Columns, signed},
};
use asterism_proto::NodeId;
use std::collections::HashMap;

/// What a node's share is counted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The operators' word, in thousandths: 2000 takes twice as much as its capacity alone would give it.
    pub factor_permille: u32,
    /// The capacity that counts, in bytes; it follows what the node says only when that changed much.
    pub capacity: u64,
    /// When the node is empty, it is retired.
    pub retire: bool,
}

/// The factor of a node of which nobody said anything.
pub const FACTOR_DEFAULT: u32 = 1000;

/// What still hangs on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Positions in groups.
    pub positions: u64,
    /// Shards that lie there although their group says otherwise.
    pub elsewhere: u64,
    /// Positions on their way to it.
    pub arriving: u64,
    /// Shards that it has to remove.
    pub removals: u64,
}

/// How much lies in a group, by code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupLoad {
    /// The group.
    pub group: u32,
    /// Data shards.
    pub data: u8,
    /// Parity shards.
    pub parity: u8,
    /// Extents of this code.
    pub extents: u64,
    /// Their content in bytes.
    pub bytes: u64,
}

impl Catalog {
    /// The shares of the nodes of which something is noted.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn shares(&self) -> Result<HashMap<NodeId, Share>> {
        self.read(move |mut tx| async move {
            let shares = shares(&mut tx).await;
            (tx, shares)
        })
        .await
    }

    /// Sets a node's factor; `capacity` counts if nothing was noted of the node yet.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn set_factor(&self, node: NodeId, factor_permille: u32, capacity: u64) -> Result<()> {
        let share = Share { factor_permille, capacity, retire: false };
        self.set_share(node, share, "factor_permille").await
    }

    /// Sets the capacity that counts.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn set_counted_capacity(&self, node: NodeId, capacity: u64) -> Result<()> {
        let share = Share { factor_permille: FACTOR_DEFAULT, capacity, retire: false };
        self.set_share(node, share, "capacity").await
    }

    async fn set_share(&self, node: NodeId, share: Share, column: &'static str) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = set_share(&mut tx, node, share, column).await;
            (tx, done)
        })
        .await
    }

    /// Has a node give everything away, and be retired when it is empty if `retire`.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`].
    pub async fn drain(&self, node: NodeId, retire: bool) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = intend(&mut tx, node, Intent::Draining, retire).await;
            (tx, done)
        })
        .await
    }

    /// Wants a node again that was to give everything away.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`].
    pub async fn undrain(&self, node: NodeId) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = intend(&mut tx, node, Intent::Up, false).await;
            (tx, done)
        })
        .await
    }

    /// Is done with a node that holds nothing any more; what it still had to remove is its own business.
    ///
    /// # Errors
    /// [`CatalogError::Conflict`]: something hangs on it yet.
    pub async fn retire(&self, node: NodeId) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = retire(&mut tx, node).await;
            (tx, done)
        })
        .await
    }

    /// What hangs on a node.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn holdings(&self, node: NodeId) -> Result<Holdings> {
        self.read(move |mut tx| async move {
            let holdings = holdings(&mut tx, node).await;
            (tx, holdings)
        })
        .await
    }

    /// How much lies in these groups. It looks at every extent: ask seldom.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn group_loads(&self) -> Result<Vec<GroupLoad>> {
        self.read(move |mut tx| async move {
            let loads = loads(&mut tx).await;
            (tx, loads)
        })
        .await
    }
}

async fn shares(tx: &mut Tx) -> Result<HashMap<NodeId, Share>> {
    let rows = sqlx::query("SELECT node, factor_permille, capacity, retire FROM node_shares")
        .fetch_all(&mut **tx)
        .await?;
    rows.iter()
        .map(|row| {
            let share = Share {
                factor_permille: row.number("factor_permille")?,
                capacity: row.number("capacity")?,
                retire: row.number::<i64>("retire")? != 0,
            };
            Ok((row.parsed("node")?, share))
        })
        .collect()
}

async fn set_share(tx: &mut Tx, node: NodeId, share: Share, column: &str) -> Result<()> {
    let set = tx.dialect().or_set("node", &[column]);
    sqlx::query(sql(format!(
        "INSERT INTO node_shares (node, factor_permille, capacity, retire) VALUES {}{set}",
        values(4, 1)
    )))
    .bind(node.to_string())
    .bind(i64::from(share.factor_permille))
    .bind(signed(share.capacity)?)
    .bind(i64::from(share.retire))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

async fn intend(tx: &mut Tx, node: NodeId, intent: Intent, retire: bool) -> Result<()> {
    let lock = tx.dialect().for_update();
    let row = sqlx::query(sql(format!("SELECT capacity FROM nodes WHERE id = ?{lock}")))
        .bind(node.to_string())
        .fetch_optional(&mut **tx)
        .await?
        .ok_or(CatalogError::NotFound("node"))?;
    let share = Share { factor_permille: FACTOR_DEFAULT, capacity: row.number("capacity")?, retire };
    set_share(tx, node, share, "retire").await?;
    set_intent(tx, node, intent).await
}

async fn set_intent(tx: &mut Tx, node: NodeId, intent: Intent) -> Result<()> {
    sqlx::query("UPDATE nodes SET intent = ? WHERE id = ?")
        .bind(intent.as_str())
        .bind(node.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn retire(tx: &mut Tx, node: NodeId) -> Result<()> {
    // First: a commit that places a shard there waits for this, or is waited for.
    set_intent(tx, node, Intent::Retired).await?;
    let Holdings { positions, elsewhere, arriving, .. } = holdings(tx, node).await?;
    if positions + elsewhere + arriving > 0 {
        return Err(CatalogError::Conflict("the node still holds shards"));
    }
    for table in ["removals", "orphans"] {
        let delete = sql(format!("DELETE FROM {table} WHERE node = ?"));
        sqlx::query(delete).bind(node.to_string()).execute(&mut **tx).await?;
    }
    Ok(())
}

async fn holdings(tx: &mut Tx, node: NodeId) -> Result<Holdings> {
    let mut counted = [0; 4];
    for (count, table) in counted.iter_mut().zip(["group_members", "elsewhere", "moves", "removals"]) {
        let row = sqlx::query(sql(format!("SELECT COUNT(*) AS held FROM {table} WHERE node = ?")))
            .bind(node.to_string())
            .fetch_one(&mut **tx)
            .await?;
        *count = row.number("held")?;
    }
    let [positions, elsewhere, arriving, removals] = counted;
    Ok(Holdings { positions, elsewhere, arriving, removals })
}

async fn loads(tx: &mut Tx) -> Result<Vec<GroupLoad>> {
    let rows = sqlx::query(
        "SELECT group_id, data, parity, COUNT(*) AS extents, CAST(SUM(bytes) AS SIGNED) AS bytes FROM extents \
         GROUP BY group_id, data, parity ORDER BY group_id, data",
    )
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(GroupLoad {
                group: row.number("group_id")?,
                data: row.number("data")?,
                parity: row.number("parity")?,
                extents: row.number("extents")?,
                bytes: row.number("bytes")?,
            })
        })
        .collect()
}

//! The machines of the cluster, as they have joined.

use super::{
    Catalog, CatalogError, Result, Tx,
    dialect::sql,
    row::{Columns, signed},
};
use asterism_proto::{NodeId, NodeName};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use std::str::FromStr;

/// What the operators want of a node; what it does is not the catalog's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Intent {
    /// Be there.
    Up,
    /// Is being stopped.
    Stopping,
    /// Sleep.
    Asleep,
    /// Is being woken.
    Waking,
    /// Give everything away.
    Draining,
    /// Never come back.
    Retired,
}

/// Not an intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an intent is up, stopping, asleep, waking, draining or retired")]
pub struct IntentError;

impl Intent {
    /// As text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Stopping => "stopping",
            Self::Asleep => "asleep",
            Self::Waking => "waking",
            Self::Draining => "draining",
            Self::Retired => "retired",
        }
    }
}

impl FromStr for Intent {
    type Err = IntentError;
    fn from_str(text: &str) -> std::result::Result<Self, IntentError> {
        [Self::Up, Self::Stopping, Self::Asleep, Self::Waking, Self::Draining, Self::Retired]
            .into_iter()
            .find(|intent| intent.as_str() == text)
            .ok_or(IntentError)
    }
}

/// A node that has joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// For as long as its directory lives.
    pub id: NodeId,
    /// Belongs to one id only.
    pub name: NodeName,
    /// `host:port` of its gRPC.
    pub address: String,
    /// `host:port` of its HTTP.
    pub metrics_address: String,
    /// Its failure domain.
    pub zone: String,
    /// In bytes.
    pub capacity: u64,
    /// Kept when the node joins again.
    pub intent: Intent,
    /// Of the first time, in Unix milliseconds.
    pub joined_ms: i64,
}

impl Catalog {
    /// Adds a node, or brings what is known of it up to date; its intent and first time of joining stay as they were.
    ///
    /// # Errors
    /// [`CatalogError::Conflict`]: the name belongs to another node.
    pub async fn upsert_node(&self, node: &NodeRow) -> Result<NodeRow> {
        let capacity = signed(node.capacity)?;
        self.write(move |mut tx| async move {
            let row = upsert(&mut tx, node, capacity).await;
            (tx, row)
        })
        .await
    }

    /// All nodes, by name.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn nodes(&self) -> Result<Vec<NodeRow>> {
        self.read(move |mut tx| async move {
            let rows = sqlx::query("SELECT * FROM nodes ORDER BY name").fetch_all(&mut *tx).await;
            let nodes = rows.map_err(Into::into).and_then(|rows| rows.iter().map(node_row).collect());
            (tx, nodes)
        })
        .await
    }

    /// Notes what is wanted of a node.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`].
    pub async fn set_intent(&self, node: NodeId, intent: Intent) -> Result<()> {
        let update = "UPDATE nodes SET intent = ? WHERE id = ?";
        let changed = self
            .write(move |mut tx| async move {
                let done =
                    sqlx::query(update).bind(intent.as_str()).bind(node.to_string()).execute(&mut *tx).await;
                (tx, done.map(|done| done.rows_affected()).map_err(Into::into))
            })
            .await?;
        if changed == 0 { Err(CatalogError::NotFound("node")) } else { Ok(()) }
    }
}

fn node_row(row: &AnyRow) -> Result<NodeRow> {
    Ok(NodeRow {
        id: row.parsed("id")?,
        name: row.parsed("name")?,
        address: row.name("address")?,
        metrics_address: row.name("metrics_address")?,
        zone: row.name("zone")?,
        capacity: row.number("capacity")?,
        intent: row.parsed("intent")?,
        joined_ms: row.number("joined_ms")?,
    })
}

async fn upsert(tx: &mut Tx, node: &NodeRow, capacity: i64) -> Result<NodeRow> {
    let lock = tx.dialect().for_update();
    let named = sqlx::query(sql(format!("SELECT id FROM nodes WHERE name = ?{lock}")))
        .bind(node.name.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    if let Some(row) = named
        && row.parsed::<NodeId>("id")? != node.id
    {
        return Err(CatalogError::Conflict("the name belongs to another node"));
    }
    let set = tx.dialect().or_set("id", &["name", "address", "metrics_address", "zone", "capacity"]);
    sqlx::query(sql(format!(
        "INSERT INTO nodes (id, name, address, metrics_address, zone, capacity, intent, joined_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?){set}"
    )))
    .bind(node.id.to_string())
    .bind(node.name.as_str())
    .bind(node.address.as_bytes())
    .bind(node.metrics_address.as_bytes())
    .bind(node.zone.as_bytes())
    .bind(capacity)
    .bind(node.intent.as_str())
    .bind(node.joined_ms)
    .execute(&mut **tx)
    .await?;
    let row = sqlx::query("SELECT * FROM nodes WHERE id = ?")
        .bind(node.id.to_string())
        .fetch_one(&mut **tx)
        .await?;
    node_row(&row)
}

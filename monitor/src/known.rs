//! Remembers the nodes, so that a monitor that starts while no index-server answers knows whom to watch and whom to wake.

use crate::board::Board;
use asterism_proto::index::NodeView;
use sqlx::{Row, SqlitePool, sqlite::SqliteRow};
use std::{sync::Arc, time::Duration};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How often it is looked whether something is to be written down.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// One node: what it takes to watch it.
type Known = (String, String, String, String, String, i32);

/// The nodes that were known last, as an index-server would name them; nothing of how they were.
///
/// # Errors
/// The database cannot be read.
pub async fn load(pool: &SqlitePool) -> Result<Vec<NodeView>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM known_nodes").fetch_all(pool).await?;
    let view = |row: &SqliteRow| {
        Ok(NodeView {
            node: row.try_get("id")?,
            name: row.try_get("name")?,
            address: row.try_get("address")?,
            metrics_address: row.try_get("metrics_address")?,
            zone: row.try_get("zone")?,
            intent: row.try_get("intent")?,
            ..NodeView::default()
        })
    };
    rows.iter().map(view).collect()
}

/// Writes the nodes of `board` down whenever they are others, until `stop`.
pub async fn keep(board: Arc<Board>, pool: SqlitePool, stop: CancellationToken) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut kept = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        // While no index-server answers, nothing new is known.
        if board.index().is_err() {
            continue;
        }
        let now = known(&board);
        if kept.as_ref() == Some(&now) {
            continue;
        }
        match save(&pool, &now).await {
            Ok(()) => kept = Some(now),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the nodes cannot be written down")
            }
        }
    }
}

fn known(board: &Board) -> Vec<Known> {
    let nodes = board.nodes().into_iter();
    nodes
        .map(|node| {
            let metrics = node.metrics_address.unwrap_or_default();
            (node.id.to_string(), node.name.to_string(), node.address, metrics, node.zone, node.intent.into())
        })
        .collect()
}

async fn save(pool: &SqlitePool, nodes: &[Known]) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query("DELETE FROM known_nodes").execute(&mut *transaction).await?;
    for (id, name, address, metrics_address, zone, intent) in nodes {
        sqlx::query(
            "INSERT INTO known_nodes (id, name, address, metrics_address, zone, intent) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(id)
        .bind(name)
        .bind(address)
        .bind(metrics_address)
        .bind(zone)
        .bind(intent)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}

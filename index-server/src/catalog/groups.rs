//! Placement groups: which nodes stand together.

use super::{
    Catalog, CatalogError, Result, Tx,
    dialect::{sql, values},
    extents::ROWS_PER_STATEMENT,
    row::Columns,
};
use asterism_proto::NodeId;

/// An ordered set of distinct nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: u32,
    /// The node of each position.
    pub members: Vec<NodeId>,
}

impl Catalog {
    /// Makes the first groups, all at once.
    ///
    /// # Errors
    /// [`CatalogError::Exists`]: there are groups already; [`CatalogError::NotFound`]: a member is no node.
    pub async fn create_groups(&self, groups: &[Group]) -> Result<()> {
        for group in groups {
            let distinct: std::collections::BTreeSet<_> = group.members.iter().collect();
            if group.members.is_empty() || distinct.len() != group.members.len() {
                return Err(CatalogError::invariant("the members of a group are distinct"));
            }
        }
        self.write(move |mut tx| async move {
            let done = create(&mut tx, groups).await;
            (tx, done)
        })
        .await
    }

    /// All groups, by number.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn groups(&self) -> Result<Vec<Group>> {
        self.read(move |mut tx| async move {
            let groups = groups(&mut tx).await;
            (tx, groups)
        })
        .await
    }
}

/// The members as they stand now; with `lock` they stay until the end of the transaction.
pub(super) async fn members(tx: &mut Tx, group: u32, lock: &str) -> Result<Vec<NodeId>> {
    let rows = sqlx::query(sql(format!(
        "SELECT node FROM group_members WHERE group_id = ? ORDER BY position{lock}"
    )))
    .bind(i64::from(group))
    .fetch_all(&mut **tx)
    .await?;
    if rows.is_empty() {
        return Err(CatalogError::invariant(format!("there is no group {group}")));
    }
    rows.iter().map(|row| row.parsed("node")).collect()
}

async fn create(tx: &mut Tx, groups: &[Group]) -> Result<()> {
    let known = sqlx::query("SELECT id FROM placement_groups LIMIT 1").fetch_optional(&mut **tx).await?;
    if known.is_some() {
        return Err(CatalogError::Exists("the groups"));
    }
    require_nodes(tx, groups).await?;
    for some in groups.chunks(ROWS_PER_STATEMENT) {
        let rows = values(2, some.len());
        let mut query = sqlx::query(sql(format!("INSERT INTO placement_groups (id, width) VALUES {rows}")));
        for group in some {
            query = query.bind(i64::from(group.id)).bind(group.members.len() as i64);
        }
        query.execute(&mut **tx).await?;
    }
    let members: Vec<_> = groups
        .iter()
        .flat_map(|group| (0i64..).zip(&group.members).map(|(position, node)| (group.id, position, node)))
        .collect();
    for some in members.chunks(ROWS_PER_STATEMENT) {
        let rows = values(3, some.len());
        let mut query =
            sqlx::query(sql(format!("INSERT INTO group_members (group_id, position, node) VALUES {rows}")));
        for (group, position, node) in some {
            query = query.bind(i64::from(*group)).bind(*position).bind(node.to_string());
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

async fn require_nodes(tx: &mut Tx, groups: &[Group]) -> Result<()> {
    let rows = sqlx::query("SELECT id FROM nodes").fetch_all(&mut **tx).await?;
    let known =
        rows.iter().map(|row| row.parsed("id")).collect::<Result<std::collections::HashSet<NodeId>>>()?;
    let all_known = groups.iter().flat_map(|group| &group.members).all(|node| known.contains(node));
    if all_known { Ok(()) } else { Err(CatalogError::NotFound("node")) }
}

async fn groups(tx: &mut Tx) -> Result<Vec<Group>> {
    let rows = sqlx::query("SELECT group_id, node FROM group_members ORDER BY group_id, position")
        .fetch_all(&mut **tx)
        .await?;
    let mut groups: Vec<Group> = Vec::new();
    for row in &rows {
        let (id, node) = (row.number("group_id")?, row.parsed("node")?);
        match groups.last_mut() {
            Some(group) if group.id == id => group.members.push(node),
            _ => groups.push(Group { id, members: vec![node] }),
        }
    }
    Ok(groups)
}

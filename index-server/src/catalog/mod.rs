//! The truth of the system, in SQL: who has which files, where their extents are, what is still to be done.
//!
//! One text of SQL serves SQLite and MySQL; the few differences are in [`Dialect`]. Every change is one transaction; changes of a
//! user's tree lock the user's row, shared to add something, exclusively to move something, so that no two moves make a cycle.
//! What derived stores must know leaves through the outbox, in the same transaction. Nothing here knows HTTP, gRPC or which node lives.

mod batch;
mod below;
mod credentials;
mod database;
mod dialect;
mod elsewhere;
mod error;
mod extents;
mod files;
mod found;
mod groups;
mod idempotency;
mod leases;
mod list;
mod migrations;
mod moves;
mod moving;
mod mysql;
mod names;
mod nodes;
mod orphans;
mod outbox;
mod path;
mod piece;
mod projection;
mod purge;
mod removals;
mod repairs;
mod row;
mod search;
mod settings;
mod shares;
mod short;
mod sqlite;
mod taggings;
mod tags;
mod totals;
mod touched;
mod transaction;
mod trash;
mod tree;
mod users;
mod walk;
mod walks;

#[cfg(test)]
mod contract;

pub use credentials::{CREDENTIALS_PER_USER_MAX, Credential, CredentialKind};
pub use database::{CALL_DEADLINE, Database, OpenError};
pub use dialect::{Dialect, sql, values};
pub use elsewhere::Scattered;
pub use error::{CatalogError, Result, Trouble};
pub use extents::ExtentRow;
pub use files::{Committed, NewExtent, NewFile, Replace};
pub use found::FoundTags;
pub use groups::Group;
pub use idempotency::{Idempotency, KEY_BYTES_MAX, Remembered};
pub use leases::Lease;
pub use moves::{MoveRow, Relocated, Settled};
pub use names::{ContentId, CredentialId, EntryId, TrashId, UserName, UserNameError};
pub use nodes::{Intent, NodeRow};
pub use orphans::{Listed, OrphanCounts, Standing};
pub use outbox::{OutboxRow, Scope, Topic};
pub use path::{LogicalPath, NAME_BYTES_MAX, PATH_BYTES_MAX, PATH_DEPTH_MAX, PathError};
pub(crate) use piece::{Piece, Value};
pub use projection::Projection;
pub use purge::Purged;
pub use removals::{AbandonedExtent, Removal};
pub(crate) use row::Columns;
pub use search::{Found, OwnerScope};
pub use shares::{FACTOR_DEFAULT, GroupLoad, Holdings, Share};
pub use short::{ShortExtent, ShortPosition};
pub use taggings::TAGS_PER_FILE_MAX;
pub use tags::{Tag, TagCount, TagError, TagState, Tagging, WeightedTag};
pub use totals::Totals;
pub use touched::{FILES_COUNTED_MAX, Touched};
pub use transaction::Tx;
pub use trash::{Restore, Trashed};
pub use tree::{Content, Entry};
pub use users::{Role, User};
pub use walks::Walk;

use asterism_service::world::unix_ms as now_ms;

/// No list is given in larger pieces, whatever is asked for.
pub const PAGE_MAX: u32 = 1000;

/// The catalog of one cluster. A clone is the same catalog.
#[derive(Clone)]
pub struct Catalog {
    database: Database,
}

/// A piece of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// At most as many as asked for.
    pub items: Vec<T>,
    /// Asks for the next piece; none at the end.
    pub next: Option<String>,
}

impl Catalog {
    /// The catalog in `database`.
    pub fn new(database: Database) -> Self {
        Self { database }
    }

    /// Opens the database at `url` and its catalog.
    ///
    /// # Errors
    /// See [`Database::open`].
    pub async fn open(url: &str) -> std::result::Result<Self, OpenError> {
        Ok(Self::new(Database::open(url).await?))
    }

    /// The same catalog for the holder of `lease`: its writes fail with [`CatalogError::Stale`] once somebody else holds it.
    pub fn fenced(&self, lease: &Lease) -> Self {
        Self::new(self.database.fenced(lease.fence()))
    }

    /// Where it is kept.
    pub fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) async fn read<T, F, Fut>(&self, operation: F) -> Result<T>
    where
        F: FnMut(Tx) -> Fut,
        Fut: Future<Output = (Tx, Result<T>)>,
    {
        self.database.read(operation).await
    }

    /// See [`Database::look`].
    pub(crate) async fn look<T, F, Fut>(&self, operation: F) -> Result<T>
    where
        F: FnOnce(Tx) -> Fut,
        Fut: Future<Output = (Tx, Result<T>)>,
    {
        self.database.look(operation).await
    }

    pub(crate) async fn write<T, F, Fut>(&self, operation: F) -> Result<T>
    where
        F: FnMut(Tx) -> Fut,
        Fut: Future<Output = (Tx, Result<T>)>,
    {
        self.database.write(operation).await
    }
}

fn page_limit(limit: u32) -> u32 {
    limit.clamp(1, PAGE_MAX)
}

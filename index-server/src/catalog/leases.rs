//! Who does the background work: one at a time, without a common clock.
//!
//! The holder raises `beat` now and then. Who wants the lease looks at it twice, its own lease time apart on its own monotonic clock;
//! if the beat has not changed, it may take over, by compare-and-set on what it saw. Each change of holder raises `epoch`.

use super::{Catalog, CatalogError, Result, Tx, dialect::sql, row::Columns};
use std::sync::Arc;

/// A lease as it stood at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What for.
    pub name: String,
    /// Who; empty when it was given back.
    pub holder: String,
    /// Counts the holders.
    pub epoch: u64,
    /// Counts the signs of life.
    pub beat: u64,
}

impl Lease {
    pub(super) fn fence(&self) -> Fence {
        Fence { name: self.name.as_str().into(), epoch: self.epoch }
    }
}

/// What writes are checked against.
#[derive(Clone)]
pub(crate) struct Fence {
    name: Arc<str>,
    epoch: u64,
}

impl Fence {
    /// The lease stays with its holder until the end of the transaction, or the answer is [`CatalogError::Stale`].
    pub(super) async fn check(&self, tx: &mut Tx) -> Result<()> {
        let lock = tx.dialect().for_share();
        let row = sqlx::query(sql(format!("SELECT epoch, holder FROM leases WHERE name = ?{lock}")))
            .bind(&*self.name)
            .fetch_optional(&mut **tx)
            .await?
            .ok_or(CatalogError::Stale)?;
        if row.number::<u64>("epoch")? == self.epoch && !row.text("holder")?.is_empty() {
            Ok(())
        } else {
            Err(CatalogError::Stale)
        }
    }
}

impl Catalog {
    /// The lease as it stands now, if anyone ever had it.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn lease(&self, name: &str) -> Result<Option<Lease>> {
        self.look(move |mut tx| async move {
            let lease = find(&mut tx, name, "").await;
            (tx, lease)
        })
        .await
    }

    /// Takes the lease if nobody has it, or if it is still exactly as it was `seen` one lease time ago. `holder` names this process
    /// and no other, also not an earlier one.
    ///
    /// # Errors
    /// [`CatalogError::Stale`]: somebody has it and is alive.
    pub async fn acquire_lease(&self, name: &str, holder: &str, seen: Option<&Lease>) -> Result<Lease> {
        if holder.is_empty() || holder.len() > 64 || !holder.is_ascii() || name.len() > 64 || !name.is_ascii()
        {
            return Err(CatalogError::invariant("names of leases and holders are 1 to 64 ASCII characters"));
        }
        self.write(move |mut tx| async move {
            let lease = acquire(&mut tx, name, holder, seen).await;
            (tx, lease)
        })
        .await
    }

    /// A sign of life.
    ///
    /// # Errors
    /// [`CatalogError::Stale`]: it was lost; stop at once.
    pub async fn renew_lease(&self, lease: &Lease) -> Result<Lease> {
        self.write(move |mut tx| async move {
            let next = change(&mut tx, lease, &lease.holder, lease.epoch).await;
            (tx, next)
        })
        .await
    }

    /// Gives the lease back: the next one need not wait.
    ///
    /// # Errors
    /// [`CatalogError::Stale`]: it was lost before.
    pub async fn release_lease(&self, lease: &Lease) -> Result<()> {
        self.write(move |mut tx| async move {
            let done = change(&mut tx, lease, "", lease.epoch).await;
            (tx, done.map(drop))
        })
        .await
    }

    /// How often the lease has changed hands; 0 if nobody ever had it.
    ///
    /// # Errors
    /// [`CatalogError::Unavailable`].
    pub async fn current_epoch(&self, name: &str) -> Result<u64> {
        Ok(self.lease(name).await?.map_or(0, |lease| lease.epoch))
    }
}

async fn find(tx: &mut Tx, name: &str, lock: &str) -> Result<Option<Lease>> {
    let row = sqlx::query(sql(format!("SELECT holder, epoch, beat FROM leases WHERE name = ?{lock}")))
        .bind(name)
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| {
        let (holder, epoch, beat) = (row.text("holder")?, row.number("epoch")?, row.number("beat")?);
        Ok(Lease { name: name.to_owned(), holder, epoch, beat })
    })
    .transpose()
}

async fn acquire(tx: &mut Tx, name: &str, holder: &str, seen: Option<&Lease>) -> Result<Lease> {
    let lock = tx.dialect().for_update();
    match find(tx, name, lock).await? {
        None => {
            // Two that come first at once meet at the primary key; the second is run again and finds the row.
            sqlx::query("INSERT INTO leases (name, holder, epoch, beat) VALUES (?, ?, 1, 1)")
                .bind(name)
                .bind(holder)
                .execute(&mut **tx)
                .await?;
            Ok(Lease { name: name.to_owned(), holder: holder.to_owned(), epoch: 1, beat: 1 })
        }
        Some(now) if now.holder.is_empty() || seen == Some(&now) => {
            change(tx, &now, holder, now.epoch + 1).await
        }
        Some(_) => Err(CatalogError::Stale),
    }
}

/// Compare and set; the beat rises with every change.
async fn change(tx: &mut Tx, now: &Lease, holder: &str, epoch: u64) -> Result<Lease> {
    let next = Lease { name: now.name.clone(), holder: holder.to_owned(), epoch, beat: now.beat + 1 };
    let done = sqlx::query("UPDATE leases SET holder = ?, epoch = ?, beat = ? WHERE name = ? AND holder = ? AND epoch = ? AND beat = ?")
        .bind(holder)
        .bind(super::row::signed(next.epoch)?)
        .bind(super::row::signed(next.beat)?)
        .bind(&*now.name)
        .bind(&*now.holder)
        .bind(super::row::signed(now.epoch)?)
        .bind(super::row::signed(now.beat)?)
        .execute(&mut **tx)
        .await?;
    if done.rows_affected() == 1 { Ok(next) } else { Err(CatalogError::Stale) }
}

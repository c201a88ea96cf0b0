//! Writers of an SQLite file share commits: nobody is told before the commit, and nobody is harmed by another's failure.

use super::*;
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
};

const WRITERS: usize = 32;

async fn opened(dir: &Path) -> Catalog {
    Catalog::open(&format!("sqlite://{}/catalog.db", dir.display())).await.unwrap()
}

async fn insert(tx: &mut Tx, name: &str) -> Result<()> {
    let insert = sqlx::query("INSERT INTO settings (name, value) VALUES (?, 'x')").bind(name);
    Ok(insert.execute(&mut **tx).await.map(drop)?)
}

async fn set(catalog: &Catalog, name: &str) -> Result<()> {
    let write = catalog.write(move |mut tx| async move {
        let done = insert(&mut tx, name).await;
        (tx, done)
    });
    write.await
}

async fn names(catalog: &Catalog) -> BTreeSet<String> {
    let names = catalog.look(|mut tx| async move {
        let names = sqlx::query_scalar::<_, String>("SELECT name FROM settings").fetch_all(&mut *tx).await;
        (tx, names.map_err(Into::into))
    });
    names.await.unwrap().into_iter().collect()
}

/// Somebody holds the pen until told, so that all others stand in line together; some of them share the transaction with him.
struct Pen {
    /// Open for good once there is a permit: who must do his change again does not wait again.
    free: Arc<Semaphore>,
    holder: tokio::task::JoinHandle<Result<()>>,
}

impl Pen {
    async fn hold(catalog: &Catalog) -> Self {
        let (held, free) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
        let (catalog, holds, waits) = (catalog.clone(), Arc::clone(&held), Arc::clone(&free));
        let holder = tokio::spawn(async move {
            let (holds, waits) = (&holds, &waits);
            let write = catalog.write(move |mut tx| async move {
                let done = insert(&mut tx, "holder").await;
                holds.notify_one();
                drop(waits.acquire().await);
                (tx, done)
            });
            write.await
        });
        held.notified().await;
        Self { free, holder }
    }

    fn free(&self) {
        self.free.add_permits(1);
    }

    async fn let_go(self) {
        self.free();
        self.holder.await.unwrap().unwrap();
    }
}

/// `WRITERS` who each write a name; the `special` one does something else first. All stand in line when this answers.
async fn in_line<F, Fut>(catalog: &Catalog, special: F) -> JoinSet<(usize, Result<()>)>
where
    F: Fn(usize, Catalog) -> Option<Fut> + Clone + Send + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let begun = Arc::new(AtomicUsize::new(0));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (catalog, own, begun) = (catalog.clone(), special.clone(), Arc::clone(&begun));
        writers.spawn(async move {
            begun.fetch_add(1, Ordering::SeqCst);
            let done = match own(writer, catalog.clone()) {
                Some(own) => own.await,
                None => set(&catalog, &format!("writer {writer}")).await,
            };
            (writer, done)
        });
    }
    // On a runtime with one thread, whoever has begun runs until it stands in line.
    while begun.load(Ordering::SeqCst) < WRITERS {
        tokio::task::yield_now().await;
    }
    writers
}

async fn succeeded(writers: JoinSet<(usize, Result<()>)>) -> BTreeSet<usize> {
    writers.join_all().await.into_iter().filter(|(_, done)| done.is_ok()).map(|(writer, _)| writer).collect()
}

fn nobody(_: usize, _: Catalog) -> Option<std::future::Ready<Result<()>>> {
    None
}

#[tokio::test]
async fn writers_in_line_share_a_commit() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = opened(dir.path()).await;
    let pen = Pen::hold(&catalog).await;
    let before = catalog.database().commits();
    let writers = in_line(&catalog, nobody).await;
    pen.let_go().await;
    assert_eq!(succeeded(writers).await.len(), WRITERS);
    let commits = catalog.database().commits() - before;
    assert!(commits < WRITERS as u64 / 2, "{commits} commits for {WRITERS} writers");
    assert_eq!(names(&catalog).await.len(), WRITERS + 1);
}

#[tokio::test]
async fn who_fails_takes_nobody_along() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = opened(dir.path()).await;
    let pen = Pen::hold(&catalog).await;
    let failing = |writer: usize, catalog: Catalog| {
        writer.is_multiple_of(3).then_some(async move {
            let write = catalog.write(move |mut tx| async move {
                let done = insert(&mut tx, "of one that fails").await;
                (tx, done.and(Err(CatalogError::Precondition)))
            });
            write.await
        })
    };
    let writers = in_line(&catalog, failing).await;
    pen.let_go().await;
    assert_eq!(succeeded(writers).await, (0..WRITERS).filter(|writer| writer % 3 != 0).collect());
    let names = names(&catalog).await;
    assert!(!names.contains("of one that fails"));
    assert_eq!(names.len(), (0..WRITERS).filter(|writer| writer % 3 != 0).count() + 1);
}

#[tokio::test]
async fn who_goes_away_without_looking_leaves_no_transaction_behind() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = opened(dir.path()).await;
    // From too early to late enough: the pen is on its way, or lies before one who never looks again.
    for turns in (0..14).map(|power| 1 << power) {
        let mut unseen = Box::pin(set(&catalog, "unseen"));
        tokio::select! {
            biased;
            _ = &mut unseen => panic!("nobody writes without standing in line"),
            () = std::future::ready(()) => {}
        }
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        drop(unseen);
        set(&catalog, &format!("after {turns}")).await.unwrap();
    }
    assert!(!names(&catalog).await.contains("unseen"));
}

#[tokio::test]
async fn who_goes_away_takes_nobody_along() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = opened(dir.path()).await;
    let pen = Pen::hold(&catalog).await;
    let leaving = |writer: usize, catalog: Catalog| {
        (writer % 8 == 5).then_some(async move {
            let (written, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let task = {
                let (written, leave) = (Arc::clone(&written), Arc::clone(&leave));
                tokio::spawn(async move {
                    let (written, leave) = (&written, &leave);
                    let write = catalog.write(move |mut tx| async move {
                        let done = insert(&mut tx, &format!("of {writer}, who leaves")).await;
                        written.notify_one();
                        leave.notified().await;
                        (tx, done)
                    });
                    write.await
                })
            };
            written.notified().await;
            task.abort();
            // Whatever stood before it in the same transaction is done again.
            Err(CatalogError::Precondition)
        })
    };
    let writers = in_line(&catalog, leaving).await;
    pen.let_go().await;
    assert_eq!(succeeded(writers).await, (0..WRITERS).filter(|writer| writer % 8 != 5).collect());
    let names = names(&catalog).await;
    assert!(!names.iter().any(|name| name.contains("who leaves")), "{names:?}");
    assert_eq!(names.len(), WRITERS - WRITERS / 8 + 1);
}

#[tokio::test]
async fn nobody_is_told_before_the_commit() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = opened(dir.path()).await;
    let (written, go_on) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let pen = Pen::hold(&catalog).await;
    let first = tokio::spawn({
        let catalog = catalog.clone();
        async move { set(&catalog, "first").await }
    });
    tokio::task::yield_now().await;
    let second = tokio::spawn({
        let (catalog, written, go_on) = (catalog.clone(), Arc::clone(&written), Arc::clone(&go_on));
        async move {
            let (written, go_on) = (&written, &go_on);
            let write = catalog.write(move |mut tx| async move {
                let done = insert(&mut tx, "second").await;
                written.notify_one();
                drop(go_on.acquire().await);
                (tx, done)
            });
            write.await
        }
    });
    pen.free();
    written.notified().await;
    // What a crash would leave at this moment: only what somebody was told of.
    let crashed = tempfile::tempdir().unwrap();
    for file in ["catalog.db", "catalog.db-wal"] {
        std::fs::copy(dir.path().join(file), crashed.path().join(file)).unwrap();
    }
    let left = names(&opened(crashed.path()).await).await;
    assert!(!left.contains("second"), "{left:?}");
    assert_eq!(left.contains("first"), first.is_finished(), "told before it was durable");
    assert_eq!(left.contains("holder"), pen.holder.is_finished(), "told before it was durable");
    assert!(!second.is_finished());
    go_on.add_permits(1);
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    pen.let_go().await;
    assert_eq!(names(&catalog).await, ["first", "holder", "second"].map(str::to_owned).into());
}

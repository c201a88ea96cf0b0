//! The contract on SQLite, and what is promised of SQLite alone.

use super::*;
use std::path::Path;

fn url(dir: &Path) -> String {
    format!("sqlite://{}/catalog.db", dir.display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    keep_the_contract(async |number| {
        let own = dir.join(number.to_string());
        std::fs::create_dir(&own).unwrap();
        Catalog::open(&url(&own)).await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn one_process_at_a_time_opens_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let first = Catalog::open(&url(dir.path())).await.unwrap();
    refused!(Database::open(&url(dir.path())).await.map(drop), OpenError::InUse(_));
    first.database().close().await;
    drop(first);
    Catalog::open(&url(dir.path())).await.unwrap();
}

#[tokio::test]
async fn what_was_committed_is_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&url(dir.path())).await.unwrap();
    let ada = ada(&catalog).await;
    catalog.mkdir(&ada, &path("/a/b"), true).await.unwrap();
    catalog.database().close().await;
    drop(catalog);
    let again = Catalog::open(&url(dir.path())).await.unwrap();
    assert_eq!(listed(&again, &ada, "/a").await, ["/a/b"]);
}

#[tokio::test]
async fn paths_with_odd_characters_are_opened_literally() {
    for name in ["with space", "100%41", "q?x#y", "文件 😀", "'quoted\""] {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join(name);
        std::fs::create_dir(&odd).unwrap();
        // In the address itself '?' and '%' must be escaped, as in any other address.
        let escaped = odd.to_str().unwrap().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
        Catalog::open(&format!("sqlite://{escaped}/catalog.db")).await.unwrap().database().close().await;
        assert!(odd.join("catalog.db").is_file(), "{name}");
    }
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&url(dir.path())).await.unwrap();
    ada(&catalog).await;
    for file in ["catalog.db", "catalog.db-wal", "catalog.db.lock"] {
        let mode = dir.path().join(file).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} has mode {mode:o}");
    }
}

#[tokio::test]
async fn addresses_that_are_none_are_refused() {
    for url in [
        "",
        "catalog.db",
        "sqlite:",
        "sqlite://relative.db",
        "sqlite::memory:",
        "sqlite:///",
        "postgres://x/y",
        "http://x",
    ] {
        refused!(Database::open(url).await.map(drop), OpenError::Address);
    }
    let missing = Database::open("sqlite:///nowhere/at/all/catalog.db").await;
    refused!(missing.map(drop), OpenError::File { .. });
}

#[tokio::test]
async fn a_file_of_another_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("catalog.db"), "this is no database, but a text of some length").unwrap();
    refused!(Database::open(&url(dir.path())).await.map(drop), OpenError::Sql(_));
}

#[tokio::test]
async fn a_schema_of_a_newer_program_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&url(dir.path())).await.unwrap();
    let newer = catalog
        .write(|mut tx| async move {
            let insert = sqlx::query("INSERT INTO schema_versions (version, checksum) VALUES (99, 'x')");
            let done = insert.execute(&mut *tx).await;
            (tx, done.map(drop).map_err(Into::into))
        })
        .await;
    newer.unwrap();
    catalog.database().close().await;
    drop(catalog);
    refused!(Database::open(&url(dir.path())).await.map(drop), OpenError::Schema(_));
}

#[tokio::test]
async fn the_library_is_the_one_of_the_lock_file() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&url(dir.path())).await.unwrap();
    let version = catalog
        .read(|mut tx| async move {
            let version =
                sqlx::query_scalar::<_, String>("SELECT sqlite_version()").fetch_one(&mut *tx).await;
            (tx, version.map_err(Into::into))
        })
        .await
        .unwrap();
    // Older ones lack what the catalog relies on, or have known faults in the write-ahead log.
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts >= vec![3, 46, 0], "SQLite {version}");
}

/// Lets the file grow by at most so many pages of 4 KiB from now on.
async fn leave_room(catalog: &Catalog, pages: i64) {
    let limit = catalog.write(|mut tx| async move {
        let used: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *tx).await.unwrap();
        let limit = format!("PRAGMA max_page_count = {}", used + pages);
        let done = sqlx::query(sql(limit)).fetch_all(&mut *tx).await;
        (tx, done.map(drop).map_err(Into::into))
    });
    limit.await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(&url(dir.path())).await.unwrap();
    let ada = ada(&catalog).await;
    leave_room(&catalog, 10).await;
    let mut kept = 0;
    let refused = loop {
        match catalog.commit_file(&empty(&ada, &format!("/{kept:04}{}", "x".repeat(200)))).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1000, "the disk never gets full");
    };
    refused!(Err::<(), _>(refused), CatalogError::Unavailable(_));
    assert_eq!(listed(&catalog, &ada, "/").await.len(), kept, "what was acknowledged can be read");
    leave_room(&catalog, 1000).await;
    put(&catalog, &empty(&ada, "/room again")).await;
}

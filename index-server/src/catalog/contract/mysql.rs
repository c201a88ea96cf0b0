//! The contract on MariaDB, and what is promised of a database server alone.

use super::{
    mariadb::{QUIET, server},
    *,
};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mariadb_keeps_the_contract() {
    let _quiet = QUIET.read().await;
    let server = server().await;
    keep_the_contract(async |number| {
        let url = server.fresh(&format!("contract_{number}")).await;
        Catalog::open(&url).await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn settings_that_lose_what_was_acknowledged_are_refused() {
    let _alone = QUIET.write().await;
    let url = server().await.fresh("unsafe_settings").await;
    let admin = sqlx::MySqlPool::connect(&url).await.unwrap();
    for (setting, bad, good) in [
        ("innodb_flush_log_at_trx_commit", "2", "1"),
        ("innodb_flush_log_at_trx_commit", "0", "1"),
        ("sync_binlog", "0", "1"),
        ("binlog_format", "STATEMENT", "ROW"),
    ] {
        let set = async |value: &str| {
            let statement = format!("SET GLOBAL {setting} = {value}");
            sqlx::raw_sql(sql(statement)).execute(&admin).await.unwrap();
        };
        set(bad).await;
        let opened = Database::open(&url).await.map(drop);
        set(good).await;
        let Err(error) = opened else { panic!("{setting} = {bad} was accepted") };
        assert!(error.to_string().contains(setting), "{error}");
    }
    Database::open(&url).await.unwrap();
}

#[tokio::test]
async fn a_migration_killed_in_the_middle_starts_again() {
    let _quiet = QUIET.read().await;
    let url = server().await.fresh("half_migrated").await;
    let admin = sqlx::MySqlPool::connect(&url).await.unwrap();
    // As after a kill: some of the tables are there, the version is not.
    let half = include_str!("../../../migrations/mysql/0001_catalog.sql").split(";\n").take(5);
    for statement in half {
        sqlx::raw_sql(sql(statement.to_owned())).execute(&admin).await.unwrap();
    }
    let catalog = Catalog::open(&url).await.unwrap();
    ada(&catalog).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_that_start_at_once_migrate_once() {
    let _quiet = QUIET.read().await;
    let url = server().await.fresh("two_servers").await;
    let (one, other) = tokio::join!(Catalog::open(&url), Catalog::open(&url));
    let (one, other) = (one.unwrap(), other.unwrap());
    let ada = ada(&one).await;
    one.mkdir(&ada, &path("/a"), false).await.unwrap();
    assert_eq!(listed(&other, &ada, "/").await, ["/a"], "what one acknowledged, the other shows");
}

#[tokio::test]
async fn sessions_have_their_isolation_and_their_limit() {
    let _quiet = QUIET.read().await;
    let catalog = Catalog::open(&server().await.fresh("sessions").await).await.unwrap();
    let ask = async |mut tx: Tx| {
        let select = "SELECT CONCAT(@@tx_isolation, ' ', ROUND(@@max_statement_time), ' ', @@character_set_connection)";
        let said: String = sqlx::query_scalar(select).fetch_one(&mut *tx).await.unwrap();
        (tx, Ok(said))
    };
    assert_eq!(catalog.write(ask).await.unwrap(), "READ-COMMITTED 20 utf8mb4");
    assert_eq!(catalog.read(ask).await.unwrap(), "REPEATABLE-READ 20 utf8mb4");
}

/// Waits until `call` succeeds; it must within the time that a restart takes.
async fn until_it_works<T, F: Future<Output = Result<T>>>(call: impl Fn() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match call().await {
            Ok(value) => return value,
            Err(error) if Instant::now() > deadline => panic!("it never came back: {error:?}"),
            Err(CatalogError::Unavailable(_) | CatalogError::OutcomeUnknown(_)) => {
                tokio::time::sleep(Duration::from_millis(50)).await
            }
            Err(error) => panic!("not the error of a database that is away: {error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_database_loses_nothing_that_was_acknowledged() {
    let _alone = QUIET.write().await;
    let server = server().await;
    let url = server.fresh("killed").await;
    let catalog = Catalog::open(&url).await.unwrap();
    let ada = ada(&catalog).await;
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let writers = (0..8).map(|writer| {
            let (catalog, ada) = (catalog.clone(), ada.clone());
            tokio::spawn(async move {
                let mut done = Vec::new();
                for number in 0..200 {
                    let file = empty(&ada, &format!("/{round}-{writer}-{number}"));
                    match catalog.commit_file(&file).await {
                        Ok(_) => done.push(file.path.to_string()),
                        Err(CatalogError::Unavailable(_) | CatalogError::OutcomeUnknown(_)) => return done,
                        Err(error) => panic!("{error:?}"),
                    }
                }
                done
            })
        });
        let writers: Vec<_> = writers.collect();
        until_it_works(|| async {
            catalog.stat(&ada, &path(&format!("/{round}-0-3"))).await.or_else(still_missing)
        })
        .await;
        server.tell("kill");
        server.tell("start");
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
        until_it_works(|| catalog.totals()).await;
    }
    for at in &acknowledged {
        catalog.stat(&ada, &path(at)).await.unwrap();
    }
    assert!(acknowledged.len() >= 12, "only {} files were written", acknowledged.len());
}

/// A file that is not there yet is waited for.
fn still_missing(error: CatalogError) -> Result<Entry> {
    match error {
        CatalogError::NotFound(_) => Err(CatalogError::from(sqlx::Error::PoolTimedOut)),
        error => Err(error),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_database_that_hangs_gets_a_clear_answer_in_time() {
    let _alone = QUIET.write().await;
    let server = server().await;
    let url = server.fresh("hanging").await;
    let catalog = Catalog::open(&url).await.unwrap();
    let ada = ada(&catalog).await;
    server.tell("hold");
    let begin = Instant::now();
    let new = path("/new");
    let (ping, read, write) =
        tokio::join!(catalog.database().ping(), catalog.totals(), catalog.mkdir(&ada, &new, false));
    server.tell("go");
    refused!(ping, CatalogError::Unavailable(_));
    refused!(read, CatalogError::Unavailable(_));
    refused!(write, CatalogError::Unavailable(_) | CatalogError::OutcomeUnknown(_));
    assert!(begin.elapsed() < CALL_DEADLINE + Duration::from_secs(5), "{:?}", begin.elapsed());
    until_it_works(|| catalog.mkdir(&ada, &new, true)).await;
}

#[tokio::test]
async fn a_read_only_database_is_unavailable_for_writes_alone() {
    let _alone = QUIET.write().await;
    let url = server().await.fresh("read_only").await;
    let catalog = Catalog::open(&url).await.unwrap();
    let admin = sqlx::MySqlPool::connect(&url).await.unwrap();
    let ada = ada(&catalog).await;
    // Root may still write; an ordinary account may not.
    for statement in [
        "CREATE OR REPLACE USER plain@'127.0.0.1'",
        "GRANT ALL ON read_only.* TO plain@'127.0.0.1'",
        "SET GLOBAL read_only = 1",
    ] {
        sqlx::raw_sql(statement).execute(&admin).await.unwrap();
    }
    let plain = Catalog::open(&url.replace("root@", "plain@")).await;
    let outcomes = match &plain {
        Ok(plain) => Some((plain.mkdir(&ada, &path("/a"), false).await, plain.stat(&ada, &path("/")).await)),
        Err(_) => None,
    };
    sqlx::raw_sql("SET GLOBAL read_only = 0").execute(&admin).await.unwrap();
    let (plain, (write, read)) = (plain.unwrap(), outcomes.unwrap());
    refused!(write, CatalogError::Unavailable(_));
    read.unwrap();
    plain.mkdir(&ada, &path("/a"), false).await.unwrap();
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told_in_time() {
    let begin = Instant::now();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    refused!(Database::open(&format!("mysql://root@127.0.0.1:{port}/x")).await.map(drop), OpenError::Sql(_));
    assert!(begin.elapsed() < CALL_DEADLINE);
}

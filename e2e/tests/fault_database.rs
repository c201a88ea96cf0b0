//! The database dies, stalls, and is met half made. (What a power cut does to it is in `fault_power.rs`.)

use anyhow::{Context, ensure};
use asterism_e2e::faults::oracle::REQUEST_LIMIT;
use asterism_e2e::faults::site::INDEX;
use asterism_e2e::faults::{Chance, Figures, Load, Manners, Oracle, Proxy, Site, span, trials};
use asterism_e2e::servers::Mariadb;
use asterism_e2e::{Options, locate, within};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(600);

#[tokio::test]
async fn a_database_that_dies_or_stalls_under_load_costs_no_acknowledged_file() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut database = Mariadb::start().await?;
        let url = database.database("asterism")?;
        // On a wire of its own, which can be silent.
        let address = url.split(['@', '/']).nth(3).context("an address")?.to_owned();
        let wire = Proxy::start(&address).await?;
        let through_wire = url.replace(&address, &wire.address().to_string());
        let options = Options { database: Some(through_wire), ..Options::default() };
        let mut site = Site::start(options).await?;
        let (oracle, mut chance) = (Oracle::default(), Chance::new(75));

        let mut died = Figures::default();
        for seed in 0..trials(3) {
            let load = Load::new(&site, &oracle, 75 + seed);
            let (seen, ()) = load
                .beside(async |load| {
                    load.more_acknowledged(15).await?;
                    tokio::time::sleep(Duration::from_millis(chance.within(0..300))).await;
                    database.kill();
                    database.start_again().await?;
                    // By itself, without a restart of anything else.
                    load.more_acknowledged(10).await
                })
                .await?;
            let checked =
                site.check(&oracle).await.with_context(|| format!("death {seed} of the database"))?;
            died.add(checked.files, checked.slowest.max(seen.slowest));
        }
        died.print("F75")?;

        let mut together = Figures::default();
        for seed in 0..trials(1) {
            let load = Load::new(&site, &oracle, 1_100 + seed);
            let (seen, ()) = load
                .beside(async |load| {
                    load.more_acknowledged(15).await?;
                    tokio::time::sleep(Duration::from_millis(chance.within(0..300))).await;
                    site.kill_at_once(&[INDEX, "n2"])?;
                    database.kill();
                    Ok(())
                })
                .await?;
            database.start_again().await?;
            site.start_all().await?;
            let checked = site.check(&oracle).await?;
            together.add(checked.files, checked.slowest.max(seen.slowest));
        }
        together.print("F11")?;

        // Silent: connections stay open and nothing comes.
        let mut stalled = Figures::default();
        let load = Load::new(&site, &oracle, 77);
        let (seen, ()) = load
            .beside(async |load| {
                load.more_acknowledged(5).await?;
                wire.set(Manners::Silence);
                tokio::time::sleep(span(8)).await;
                // What was swallowed is lost for these connections: they must be given up, not waited for.
                wire.set(Manners::Break);
                tokio::time::sleep(Duration::from_millis(300)).await;
                wire.set(Manners::Pass);
                load.more_acknowledged(10).await
            })
            .await?;
        ensure!(seen.slowest < REQUEST_LIMIT, "a request took {:?}", seen.slowest);
        let checked = site.check(&oracle).await?;
        stalled.add(checked.files, checked.slowest.max(seen.slowest));
        stalled.print("F77")?;
        site.stop_all().await?;
        site.nobody_panicked()
    })
    .await
}

#[tokio::test]
async fn a_first_start_that_is_killed_leaves_no_half_schema() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site =
            Site::prepare(Options { nodes: 3, policy: "2+1".to_owned(), ..Options::default() }).await?;
        let (database, mut chance) = (Mariadb::start().await?, Chance::new(86));
        let mut figures = Figures::default();
        for round in 0..trials(2) {
            let file = site.home().join(format!("fresh-{round}.db"));
            let urls = [format!("sqlite://{}", file.display()), database.database(&format!("fresh{round}"))?];
            for (url, most) in urls.iter().zip([150, 1_500]) {
                site.configure(INDEX, "database", &format!("'{url}'"))?;
                for _ in 0..3 {
                    site.launch(INDEX)?;
                    tokio::time::sleep(Duration::from_millis(chance.within(0..most))).await;
                    site.kill(INDEX)?;
                    figures.trials += 1;
                }
                site.launch(INDEX)?;
                site.index_ready().await.with_context(|| url.clone())?;
                site.stop_server(INDEX).await?;
                // Whole enough to make its first user.
                let output = Command::new(locate::binary("index-server")?)
                    .arg("--config")
                    .arg(site.config(INDEX))
                    .arg("bootstrap")
                    .output()?;
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                ensure!(output.status.success() && said.contains("password"), "{url}: {output:?}");
            }
        }
        figures.print("F86")?;
        site.nobody_panicked()
    })
    .await
}

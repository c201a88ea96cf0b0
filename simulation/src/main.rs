//! `simulate`: many seeds, one after another, and the figures of all of them.

use asterism_simulation::{Broken, Report, run};
use clap::Parser;
use std::{
    collections::BTreeMap,
    process::ExitCode,
    time::{Duration, Instant},
};

/// Runs a simulated cluster under many seeds. ASTERISM_SEED=N runs that one alone and tells its story.
#[derive(Parser)]
struct Args {
    /// How many seeds
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first one
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Tell the story of each
    #[arg(long)]
    trace: bool,
    /// Go on after a violation
    #[arg(long)]
    keep_going: bool,
    /// Only this one, with its story
    #[arg(long, env = "ASTERISM_SEED")]
    seed: Option<u64>,
}

#[allow(clippy::print_stdout, reason = "figures are this command's output")]
fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let (seeds, prints) = match args.seed {
        Some(seed) => (seed..seed + 1, true),
        None => (args.from..args.from + args.seeds, args.trace),
    };
    let began = Instant::now();
    let (mut sum, mut violations) = (Sum::default(), 0);
    for seed in seeds {
        let report = run(seed, Broken::Nothing, prints);
        if let Some(violation) = &report.violation {
            violations += 1;
            println!("violation: {violation}\n  replay it with ASTERISM_SEED={seed}");
        }
        sum.add(&report);
        if violations > 0 && !args.keep_going {
            break;
        }
        if sum.seeds.is_multiple_of(100) {
            println!("{} seeds, {violations} violations, {:.0} s", sum.seeds, began.elapsed().as_secs_f64());
        }
    }
    sum.print(violations, began.elapsed());
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Sum {
    seeds: u64,
    figures: BTreeMap<&'static str, u64>,
    hits: BTreeMap<&'static str, u64>,
    faults: BTreeMap<String, u64>,
    time: Duration,
    slowest: Duration,
    healed_in: Duration,
}

impl Sum {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        let figures = [
            ("acknowledged", report.sent.acknowledged),
            ("refused", report.sent.refused),
            ("unknown", report.sent.unknown),
            ("reads compared", report.compared.reads),
            ("bytes compared", report.compared.bytes),
            ("lists compared", report.compared.lists),
            ("reads failed", report.sent.unread),
            ("extents counted", report.counted.extents),
            ("shards counted", report.counted.shards),
            ("orphans", report.counted.orphans),
        ];
        for (name, figure) in figures {
            *self.figures.entry(name).or_default() += figure;
        }
        for (point, hits) in &report.hits {
            *self.hits.entry(point).or_default() += hits;
        }
        for (fault, count) in &report.faults {
            *self.faults.entry(format!("{fault:?}")).or_default() += count;
        }
        self.time += report.time;
        self.slowest = self.slowest.max(report.sent.slowest);
        self.healed_in = self.healed_in.max(report.counted.healed_in);
    }

    #[allow(clippy::print_stdout, reason = "figures are this command's output")]
    fn print(&self, violations: u64, took: Duration) {
        println!(
            "{} seeds, {violations} violations, {:.0} s; {:.1} h simulated, slowest request {:.1} s, longest healing {:.0} s",
            self.seeds,
            took.as_secs_f64(),
            self.time.as_secs_f64() / 3600.0,
            self.slowest.as_secs_f64(),
            self.healed_in.as_secs_f64(),
        );
        for (name, figure) in &self.figures {
            println!("  {name}: {figure}");
        }
        println!("faults: {:?}", self.faults);
        println!("failpoints: {:?}", self.hits);
    }
}

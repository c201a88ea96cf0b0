//! The engine by itself, and beside the real Prometheus.

use super::*;
use crate::figures::{Figure, NodeRow, Reading, Row, ZoneRow};
use asterism_proto::NodeId;
use std::{
    collections::BTreeSet,
    fmt::Write,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

static SLOW: &[Rule] = &[Rule {
    name: "Slow",
    check: Check::Compare(Side::Figure(Figure::NodeProbe), Than::Above, Side::Number(0.5)),
    hold: Duration::from_secs(30),
    keep: Duration::from_secs(20),
    severity: Severity::Warning,
    summary: "{} is slow",
    advice: "",
    inhibited_by: &[],
    helps: None,
    touches_files: false,
}];

fn node(number: u8, row: Row) -> NodeRow {
    NodeRow {
        id: NodeId::from_bytes([number; 16]),
        name: format!("n{number}").parse().unwrap(),
        zone: "a".into(),
        row,
    }
}

/// Feeds the probe's time of one node at each second given; `expected` are the seconds at which an alert began (+) or ended (-).
#[track_caller]
fn check(probes: &[(u64, f64)], expected: &[&str]) {
    let (mut engine, begin) = (Engine::new(SLOW), Instant::now());
    let mut seen = Vec::new();
    for (second, probe) in probes {
        let row = Row::default().with(Figure::NodeProbe, *probe);
        let reading = Reading { nodes: vec![node(1, row)], ..Reading::default() };
        for event in engine.evaluate(&reading, begin + Duration::from_secs(*second)) {
            seen.push(match event {
                Event::Fires(alert) => format!("+{second} {}", alert.rule.summary_of(&alert.subject)),
                Event::Ends(_) => format!("-{second}"),
            });
        }
    }
    assert_eq!(seen, expected);
}

#[test]
fn a_spike_makes_no_alert() {
    check(&[(0, 0.9), (20, 0.1), (30, 0.9), (50, 0.9)], &[]);
}

#[test]
fn what_lasts_fires_once() {
    check(&[(0, 0.9), (29, 0.9), (30, 0.9), (90, 0.9)], &["+30 n1 is slow"]);
}

#[test]
fn what_comes_and_goes_is_one_alert() {
    let comes_and_goes =
        [(0, 0.9), (30, 0.9), (40, 0.1), (50, 0.9), (60, 0.1), (79, 0.1), (80, 0.1), (81, 0.1)];
    check(&comes_and_goes, &["+30 n1 is slow", "-80"]);
}

#[test]
fn no_figure_is_no_alert() {
    check(&[(0, f64::NAN), (60, f64::NAN)], &[]);
}

#[test]
fn a_node_that_leaves_takes_its_alerts_along() {
    let (mut engine, begin) = (Engine::new(SLOW), Instant::now());
    let row = Row::default().with(Figure::NodeProbe, 0.9);
    let reading = Reading { nodes: vec![node(1, row)], ..Reading::default() };
    engine.evaluate(&reading, begin);
    assert_eq!(engine.evaluate(&reading, begin + Duration::from_secs(30)).len(), 1);
    let empty = Reading::default();
    assert!(engine.evaluate(&empty, begin + Duration::from_secs(40)).is_empty());
    let ended = engine.evaluate(&empty, begin + Duration::from_secs(60));
    assert!(matches!(ended[..], [Event::Ends(_)]), "{ended:?}");
    assert_eq!(engine.firing().count(), 0);
}

#[test]
fn an_alert_from_before_a_restart_does_not_begin_again() {
    let (mut engine, begin) = (Engine::new(SLOW), Instant::now());
    engine.remember("Slow", Subject::Node("n1".parse().unwrap()), None, begin);
    engine.remember("Forgotten", Subject::Cluster, None, begin);
    let row = Row::default().with(Figure::NodeProbe, 0.9);
    let reading = Reading { nodes: vec![node(1, row)], ..Reading::default() };
    assert!(engine.evaluate(&reading, begin).is_empty());
    assert_eq!(engine.firing().count(), 1);
}

#[test]
fn a_thousand_quiet_nodes_cost_nothing_to_speak_of() {
    let quiet = |number: u16| {
        let mut row = Row::default();
        for figure in Figure::ALL {
            row.set(*figure, 1.0);
        }
        row.set(Figure::NodeOffline, 0.0);
        NodeRow {
            id: NodeId::from_bytes([0; 16]),
            name: format!("n{number}").parse().unwrap(),
            zone: "a".into(),
            row: row
                .with(Figure::NodeProcessDead, 0.0)
                .with(Figure::NodeUnreachable, 0.0)
                .with(Figure::NodeProbe, 0.01)
                .with(Figure::NodeFullIn, f64::NAN)
                .with(Figure::NodeCertificateEnd, 1e12),
        }
    };
    let reading = Reading { nodes: (0..1000).map(quiet).collect(), ..Reading::default() };
    let mut engine = Engine::default();
    let began = Instant::now();
    for _ in 0..20 {
        engine.evaluate(&reading, began);
    }
    assert!(engine.firing().all(|alert| alert.rule.name == "Watchdog"));
    // Measured: under 1 ms each in a debug build, so a five-hundredth of a core at two a second. A hundred times that is a mistake.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn every_rule_makes_sense() {
    let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len(), "each name once");
    for rule in RULES {
        for above in rule.inhibited_by {
            assert!(names.contains(above), "{} is inhibited by {above}, which does not exist", rule.name);
        }
        assert_eq!(
            rule.summary.contains("{}"),
            rule.scope() != Scope::Cluster,
            "{} names its subject",
            rule.name
        );
        assert!(rule.helps.is_none() || rule.scope() == Scope::Node, "{}: acts are on nodes", rule.name);
        if let Check::Compare(left, _, right) = rule.check {
            let scopes = [left, right].into_iter().filter_map(Side::figure).map(Figure::scope);
            assert!(scopes.clone().all(|scope| scope == rule.scope()), "{} mixes scopes", rule.name);
        }
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn every_rule_has_a_runbook_and_every_runbook_a_rule() {
    let pages = std::fs::read_dir(root().join("docs/runbooks")).unwrap();
    let pages: BTreeSet<String> =
        pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    let expected: BTreeSet<String> =
        RULES.iter().map(|rule| format!("{}.md", rule.name)).chain(["README.md".into()]).collect();
    assert_eq!(pages, expected);
    let contents = std::fs::read_to_string(root().join("docs/runbooks/README.md")).unwrap();
    for rule in RULES {
        let page = std::fs::read_to_string(root().join(rule.runbook())).unwrap();
        assert!(page.starts_with(&format!("# {}\n", rule.name)), "{}", rule.name);
        for part in ["## What it means", "## What to do"] {
            assert!(page.contains(part), "{}: {part}", rule.name);
        }
        assert!(contents.contains(&format!("[{0}]({0}.md)", rule.name)), "{} is not in the list", rule.name);
    }
}

#[test]
fn the_rule_file_in_the_repository_is_made_of_the_table() {
    let kept = std::fs::read_to_string(root().join("deploy/prometheus/rules.yml")).unwrap();
    assert_eq!(kept, prometheus::rule_file(), "run: monitor rules > deploy/prometheus/rules.yml");
}

#[test]
fn the_alertmanager_example_is_taken_and_names_alerts_that_there_are() {
    let path = root().join("deploy/prometheus/alertmanager.yml");
    run("amtool", &["check-config", path.to_str().unwrap()]);
    let text = std::fs::read_to_string(&path).unwrap();
    let matchers = text.lines().filter(|line| line.contains("alertname ="));
    let words = matchers.flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric()));
    let names: Vec<&str> = words.filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase())).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        // `NodeDisk.+` stands for several.
        assert!(RULES.iter().any(|rule| rule.name.starts_with(name)), "{name} is no alert");
    }
}

/// Runs promtool, which comes with Prometheus.
fn promtool(arguments: &[&str]) {
    run("promtool", arguments);
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().expect("make test-servers installs it");
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        said.chars().take(4000).collect::<String>()
    );
}

#[test]
fn prometheus_takes_the_rule_file_and_its_tests_hold() {
    let rules = root().join("deploy/prometheus/rules.yml");
    promtool(&["check", "rules", rules.to_str().unwrap()]);
    promtool(&[
        "check",
        "config",
        "--syntax-only",
        root().join("deploy/prometheus/prometheus.yml").to_str().unwrap(),
    ]);
    promtool(&["test", "rules", root().join("deploy/prometheus/rules_test.yml").to_str().unwrap()]);
}

/// A small generator of numbers that look random and are the same each time (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Seconds between two evaluations.
const STEP: u64 = 15;
const STEPS: u64 = 240;

/// Values on both sides of every threshold, and on it; NaN is a figure that is not there.
fn candidates(figure: Figure) -> &'static [f64] {
    const END: f64 = 30.0 * 86_400.0;
    match figure {
        Figure::WorstMargin => &[-1.0, 0.0, 2.0, f64::NAN],
        Figure::NodeFree | Figure::NodeMemoryAvailable => &[4.0, 5.0, 60.0, f64::NAN],
        Figure::NodeCapacity | Figure::NodeMemory => &[100.0, 90.0],
        Figure::NodeLoad => &[1.0, 8.0, 8.5],
        Figure::NodeCores => &[4.0],
        Figure::NodeFullIn => &[86_399.0, 86_400.0, f64::NAN],
        Figure::NodeProbe => &[0.01, 0.5, 0.75],
        Figure::NodeClockSkew => &[0.0, 2.0, 2.5],
        Figure::NodeFalls => &[0.0, 2.0, 3.0],
        Figure::NodeCertificateEnd | Figure::MonitorCertificateEnd => {
            &[END + 300.0, END + 1800.0, END + 7200.0]
        }
        Figure::RepairStalled => &[0.0, 899.0, 900.0],
        Figure::PushTime => &[0.0, 900.0, 2400.0],
        Figure::PushInterval => &[60.0, f64::NAN],
        Figure::ZoneNodes => &[2.0, 3.0],
        Figure::ZoneOffline => &[0.0, 1.0, 2.0],
        _ => &[0.0, 1.0, f64::NAN],
    }
}

/// One series: its subject and a value at each step.
struct Series {
    figure: Figure,
    subject: &'static str,
    values: Vec<f64>,
}

/// Values that stay for a while and then change.
fn series(chance: &mut Chance, figure: Figure, subject: &'static str) -> Series {
    let candidates = candidates(figure);
    let pick = |chance: &mut Chance| candidates[chance.below(candidates.len() as u64) as usize];
    let mut value = pick(chance);
    let values = (0..=STEPS).map(|_| {
        if chance.below(20) == 0 {
            value = pick(chance);
        }
        value
    });
    let values = values.collect();
    Series { figure, subject, values }
}

fn reading(all: &[Series], step: u64) -> Reading {
    let row = |subject: &str| {
        let mut row = Row::default();
        for series in all.iter().filter(|series| series.subject == subject) {
            row.set(series.figure, series.values[step as usize]);
        }
        row
    };
    Reading {
        unix_seconds: (step * STEP) as f64,
        cluster: row(""),
        zones: vec![ZoneRow { zone: "a".into(), row: row("a") }],
        nodes: vec![node(1, row("n1")), node(2, row("n2"))],
    }
}

/// `promtool test rules` as a file: the series, and what the native engine said at each step.
fn unit_test(all: &[Series]) -> String {
    let mut text = format!(
        "rule_files: [rules.yml]\nevaluation_interval: {STEP}s\ntests:\n- interval: {STEP}s\n  input_series:\n"
    );
    for Series { figure, subject, values } in all {
        let labels = match figure.scope().label() {
            Some(label) => format!("{{{label}=\"{subject}\"}}"),
            None => String::new(),
        };
        let values: Vec<String> = values
            .iter()
            .map(|value| if value.is_nan() { "stale".into() } else { value.to_string() })
            .collect();
        let _ = writeln!(text, "  - series: 'asterism_{}{labels}'", figure.name());
        let _ = writeln!(text, "    values: '{}'", values.join(" "));
    }
    text.push_str("  alert_rule_test:\n");
    let (mut engine, begin) = (Engine::default(), Instant::now());
    for step in 0..=STEPS {
        engine.evaluate(&reading(all, step), begin + Duration::from_secs(step * STEP));
        let firing: Vec<Alert> = engine.firing().collect();
        for rule in RULES.iter().filter(|rule| !rule.is_for_prometheus_alone()) {
            let _ = writeln!(
                text,
                "  - eval_time: {}s\n    alertname: {}\n    exp_alerts:",
                step * STEP,
                rule.name
            );
            for alert in firing.iter().filter(|alert| alert.rule.name == rule.name) {
                let label =
                    alert.subject.label().map_or(String::new(), |(label, name)| format!(", {label}: {name}"));
                let _ = writeln!(text, "    - exp_labels: {{severity: {}{label}}}", rule.severity);
                let _ = writeln!(text, "      exp_annotations:");
                for (key, value) in prometheus::annotations(rule) {
                    let name = alert.subject.label().map_or("", |(_, name)| name);
                    let value = value.replace("{{ $labels.node }}", name).replace("{{ $labels.zone }}", name);
                    let _ = writeln!(text, "        {key}: {}", prometheus::quoted(&value));
                }
            }
        }
    }
    text
}

#[test]
fn both_engines_say_the_same_of_the_same_series() {
    for seed in 1..=3 {
        let mut chance = Chance(seed);
        let mut all = Vec::new();
        for figure in Figure::ALL {
            let subjects: &[&str] = match figure.scope() {
                Scope::Cluster => &[""],
                Scope::Zone => &["a"],
                Scope::Node => &["n1", "n2"],
            };
            all.extend(subjects.iter().map(|subject| series(&mut chance, *figure, subject)));
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("rules.yml"), prometheus::rule_file()).unwrap();
        let test = dir.path().join("test.yml");
        let text = unit_test(&all);
        let fired = text.matches("exp_labels").count();
        assert!(fired > 500, "seed {seed}: {fired} alerts are too few to compare");
        std::fs::write(&test, text).unwrap();
        promtool(&["test", "rules", test.to_str().unwrap()]);
    }
}

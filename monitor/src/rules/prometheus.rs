//! The table as a rule file for Prometheus. `monitor rules` prints it; the repository holds it as `deploy/prometheus/rules.yml`.

use super::{RULES, Rule};
use crate::figures::Scope;
use std::{fmt::Write, time::Duration};

const HEAD: &str =
    "# Made from the monitor's table of rules: `monitor rules > deploy/prometheus/rules.yml`. Do not edit.\n";

/// The whole file.
pub fn rule_file() -> String {
    let mut text = String::from(HEAD);
    text.push_str("groups:\n  - name: asterism\n    interval: 5s\n    rules:\n");
    for rule in RULES {
        write(&mut text, rule);
    }
    text
}

fn write(text: &mut String, rule: &Rule) {
    let mut line = |key: &str, value: &str| {
        // Writing to a string does not fail.
        let _infallible = writeln!(text, "{key}: {value}");
    };
    line("      - alert", rule.name);
    line("        expr", &quoted(&rule.check.to_string()));
    for (key, time) in [("        for", rule.hold), ("        keep_firing_for", rule.keep)] {
        if time > Duration::ZERO {
            line(key, &format!("{}s", time.as_secs()));
        }
    }
    line("        labels", &format!("{{ severity: {} }}", rule.severity));
    let _infallible = writeln!(text, "        annotations:");
    for (key, value) in annotations(rule) {
        let _infallible = writeln!(text, "          {key}: {}", quoted(&value));
    }
}

/// What Prometheus sends along, with its own marks where the subject's name goes.
pub fn annotations(rule: &Rule) -> [(&'static str, String); 3] {
    let subject = match rule.scope() {
        Scope::Cluster => "",
        Scope::Zone => "{{ $labels.zone }}",
        Scope::Node => "{{ $labels.node }}",
    };
    [
        ("summary", rule.summary.replace("{}", subject)),
        ("description", rule.advice.to_owned()),
        ("runbook_url", rule.runbook()),
    ]
}

/// A YAML scalar in single quotes, which knows no escapes but the doubled quote.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

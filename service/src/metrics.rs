//! One registry per process, in the text that Prometheus reads.

use prometheus_client::{
    encoding::text,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};
use std::sync::{Arc, Mutex, PoisonError};

/// The media type of [`Metrics::text`].
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The media type of [`Metrics::classic_text`].
pub const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The metrics of one process; clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("asterism");
        let info = Family::<Vec<(String, String)>, Gauge>::default();
        info.get_or_create(&vec![("version".into(), env!("CARGO_PKG_VERSION").into())]).set(1);
        registry.register("build_info", "Version of the running binary", info);
        Self(Arc::new(Mutex::new(registry)))
    }
}

impl Metrics {
    /// Registers metrics; names get the prefix `asterism_`.
    pub fn register<T>(&self, register: impl FnOnce(&mut Registry) -> T) -> T {
        register(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The current values as OpenMetrics text.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(out)
    }

    /// The same in the older text format, for whoever does not ask for OpenMetrics: people, and `promtool check metrics`.
    pub fn classic_text(&self) -> Result<String, std::fmt::Error> {
        Ok(classic(&self.text()?))
    }
}

/// In the older format a counter's `HELP` and `TYPE` bear the name of its samples, there are fewer types, and no end mark.
fn classic(openmetrics: &str) -> String {
    let lines: Vec<&str> = openmetrics.lines().collect();
    let is_type = |line: Option<&&str>, name: &str, wanted: &str| {
        line.is_some_and(|line| *line == format!("# TYPE {name} {wanted}"))
    };
    let mut out = String::with_capacity(openmetrics.len());
    for (at, line) in lines.iter().enumerate() {
        let about = line.strip_prefix("# ").and_then(|rest| rest.split_once(' '));
        let line = match about {
            None if line.starts_with('#') => continue,
            Some(("UNIT", _)) => continue,
            Some((word @ ("HELP" | "TYPE"), rest)) => {
                let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
                let near = [lines.get(at), lines.get(at + 1), lines.get(at + 2)];
                let is = |wanted| near.into_iter().any(|line| is_type(line, name, wanted));
                let suffix = if is("counter") {
                    "_total"
                } else if is("info") {
                    "_info"
                } else {
                    ""
                };
                let text = match (word, text) {
                    ("TYPE", "info") => "gauge",
                    ("TYPE", "unknown") => "untyped",
                    (_, text) => text,
                };
                format!("# {word} {name}{suffix} {text}")
            }
            _ => (*line).to_owned(),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_format_names_counters_as_their_samples() {
        let openmetrics = "# HELP a_puts Puts.\n# TYPE a_puts counter\na_puts_total 3\n# HELP a_bytes Bytes.\n\
                           # TYPE a_bytes gauge\n# UNIT a_bytes bytes\na_bytes 7\n# EOF\n";
        let expected = "# HELP a_puts_total Puts.\n# TYPE a_puts_total counter\na_puts_total 3\n# HELP a_bytes Bytes.\n\
                        # TYPE a_bytes gauge\na_bytes 7\n";
        assert_eq!(classic(openmetrics), expected);
    }

    #[test]
    fn says_what_runs() {
        let text = Metrics::default().text().unwrap();
        assert!(text.contains("asterism_build_info{version=\""), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}

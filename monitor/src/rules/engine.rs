//! Pure: pending, firing, resolved, as Prometheus has it. The caller brings the clock.

use super::{RULES, Rule, Subject};
use crate::figures::{NodeRow, Reading, Row, Scope};
use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

/// More alerts than this are not kept at once: a cluster with so many is one fault, not many.
const ACTIVE_MAX: usize = 20_000;

/// An alert that fires.
#[derive(Clone, Debug)]
pub struct Alert {
    /// By which rule.
    pub rule: &'static Rule,
    /// About what.
    pub subject: Subject,
    /// The zone of the node it is about.
    pub zone: Option<String>,
    /// The value that made it fire, or the last one.
    pub value: f64,
}

/// What an evaluation changed.
#[derive(Clone, Debug)]
pub enum Event {
    /// An alert began to fire.
    Fires(Alert),
    /// It has ended.
    Ends(Alert),
}

/// The state of every rule on every subject that is not quiet.
pub struct Engine {
    rules: &'static [Rule],
    active: Vec<HashMap<Subject, Active>>,
    lost: u64,
}

struct Active {
    since: Instant,
    fires: bool,
    /// Since when a firing alert no longer holds.
    quiet_since: Option<Instant>,
    value: f64,
    zone: Option<String>,
}

impl Default for Engine {
    fn default() -> Self {
        Self::new(RULES)
    }
}

impl Engine {
    /// An engine for `rules`, all quiet.
    pub fn new(rules: &'static [Rule]) -> Self {
        Self { rules, active: rules.iter().map(|_| HashMap::new()).collect(), lost: 0 }
    }

    /// Takes up an alert that fired before a restart.
    pub fn remember(&mut self, name: &str, subject: Subject, zone: Option<String>, now: Instant) {
        if let Some(at) = self.rules.iter().position(|rule| rule.name == name) {
            let active = Active { since: now, fires: true, quiet_since: None, value: f64::NAN, zone };
            self.active[at].insert(subject, active);
        }
    }

    /// Evaluates every rule; gives what began and what ended.
    pub fn evaluate(&mut self, reading: &Reading, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        let mut count: usize = self.active.iter().map(HashMap::len).sum();
        for (rule, active) in self.rules.iter().zip(&mut self.active) {
            let mut held = HashSet::new();
            let mut see = |subject: Subject, zone: Option<&str>, value: f64| {
                let zone = zone.map(str::to_owned);
                if !active.contains_key(&subject) && count >= ACTIVE_MAX {
                    self.lost += 1;
                    return;
                }
                let entry = active.entry(subject.clone()).or_insert_with(|| {
                    count += 1;
                    Active { since: now, fires: false, quiet_since: None, value, zone }
                });
                (entry.value, entry.quiet_since) = (value, None);
                held.insert(subject);
            };
            for_each_holding(rule, reading, &mut see);
            step(rule, active, &held, now, &mut events);
        }
        events
    }

    /// Everything that fires now.
    pub fn firing(&self) -> impl Iterator<Item = Alert> {
        self.rules.iter().zip(&self.active).flat_map(|(rule, active)| {
            active
                .iter()
                .filter(|(_, active)| active.fires)
                .map(move |(subject, active)| alert(rule, subject, active))
        })
    }

    /// How many alerts were not kept because there were too many.
    pub fn lost(&self) -> u64 {
        self.lost
    }
}

/// Calls `see` with each subject that `rule` holds for.
fn for_each_holding(rule: &Rule, reading: &Reading, see: &mut impl FnMut(Subject, Option<&str>, f64)) {
    let holds = |row: &Row| rule.check.holds(row, reading.unix_seconds);
    match rule.scope() {
        Scope::Cluster => {
            if let Some(value) = holds(&reading.cluster) {
                see(Subject::Cluster, None, value);
            }
        }
        Scope::Zone => {
            for zone in &reading.zones {
                if let Some(value) = holds(&zone.row) {
                    see(Subject::Zone(zone.zone.clone()), Some(&zone.zone), value);
                }
            }
        }
        Scope::Node => {
            for NodeRow { name, zone, row, .. } in &reading.nodes {
                if let Some(value) = holds(row) {
                    see(Subject::Node(name.clone()), Some(zone), value);
                }
            }
        }
    }
}

/// Takes every alert of a rule one step on.
fn step(
    rule: &'static Rule,
    active: &mut HashMap<Subject, Active>,
    held: &HashSet<Subject>,
    now: Instant,
    events: &mut Vec<Event>,
) {
    active.retain(|subject, active| {
        if held.contains(subject) {
            if !active.fires && now.saturating_duration_since(active.since) >= rule.hold {
                active.fires = true;
                events.push(Event::Fires(alert(rule, subject, active)));
            }
            return true;
        }
        if !active.fires {
            return false;
        }
        let quiet_since = *active.quiet_since.get_or_insert(now);
        let kept = now.saturating_duration_since(quiet_since) < rule.keep;
        if !kept {
            events.push(Event::Ends(alert(rule, subject, active)));
        }
        kept
    });
}

fn alert(rule: &'static Rule, subject: &Subject, active: &Active) -> Alert {
    Alert { rule, subject: subject.clone(), zone: active.zone.clone(), value: active.value }
}

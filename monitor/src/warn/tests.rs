use super::*;
use crate::rules::Rule;

fn alert(rule: &str, subject: Subject, zone: Option<&str>) -> Alert {
    Alert { rule: Rule::named(rule).unwrap(), subject, zone: zone.map(Into::into), value: 1.0 }
}

fn node(name: &str) -> Subject {
    Subject::Node(name.parse().unwrap())
}

/// What each alert is hung under.
fn under(alerts: &[Alert]) -> Vec<Option<String>> {
    firing(alerts).into_iter().map(|firing| firing.under.map(|(name, _)| name)).collect()
}

#[test]
fn a_dead_zone_says_it_for_its_nodes_alone() {
    let alerts = [
        alert("ZoneDown", Subject::Zone("a".into()), Some("a")),
        alert("NodeDown", node("n1"), Some("a")),
        alert("NodeSaturated", node("n2"), Some("a")),
        alert("NodeDown", node("n3"), Some("b")),
    ];
    let zone = Some("ZoneDown".to_owned());
    assert_eq!(under(&alerts), [None, zone.clone(), zone, None]);
}

#[test]
fn a_dead_node_says_it_for_itself_alone() {
    let alerts = [
        alert("NodeProcessDead", node("n1"), Some("a")),
        alert("NodeDiskFull", node("n1"), Some("a")),
        alert("NodeDiskFull", node("n2"), Some("a")),
    ];
    assert_eq!(under(&alerts), [None, Some("NodeProcessDead".into()), None]);
}

#[test]
fn what_only_proves_that_alerts_arrive_is_no_message() {
    assert!(firing(&[alert("Watchdog", Subject::Cluster, None)]).is_empty());
}

#[test]
fn a_subject_is_read_back_from_its_labels() {
    for told in [
        alert("NodeDown", node("n1"), Some("a")),
        alert("ZoneDown", Subject::Zone("a".into()), Some("a")),
        alert("IndexServerDown", Subject::Cluster, None),
    ] {
        assert_eq!(subject(&labels(&told)), Some(told.subject));
    }
}

//! Who may call what: the one table for every gRPC method. What is not in it is refused.

use crate::Role;
use Role::{IndexServer, Monitor, Operator, StorageNode};

/// Every method of the schema, as it stands in a request's path.
pub const METHODS: &[&str] = include!(concat!(env!("OUT_DIR"), "/methods.rs"));

const TABLE: &[(&str, &[Role])] = &[
    ("/asterism.storage.v1.ShardStore/Put", &[IndexServer]),
    ("/asterism.storage.v1.ShardStore/Get", &[IndexServer]),
    ("/asterism.storage.v1.ShardStore/Delete", &[IndexServer]),
    ("/asterism.storage.v1.ShardStore/List", &[IndexServer]),
    ("/asterism.storage.v1.ShardStore/Verify", &[IndexServer]),
    ("/asterism.storage.v1.ShardStore/Aside", &[IndexServer]),
    ("/asterism.storage.v1.ShardStore/Stat", &[IndexServer, Monitor, Operator]),
    ("/asterism.index.v1.Membership/Join", &[StorageNode]),
    ("/asterism.index.v1.Membership/Heartbeat", &[StorageNode]),
    ("/asterism.index.v1.Membership/Nodes", &[Monitor, Operator]),
    ("/asterism.index.v1.Membership/AcquireStop", &[Monitor]),
    ("/asterism.index.v1.Membership/SetIntent", &[Monitor]),
    ("/asterism.index.v1.Membership/Touched", &[Monitor]),
    ("/asterism.monitor.v1.Monitor/Act", &[IndexServer, Operator]),
    ("/asterism.monitor.v1.Monitor/Nodes", &[IndexServer, Operator]),
    ("/asterism.monitor.v1.Monitor/Timeline", &[IndexServer, Operator]),
    ("/asterism.monitor.v1.Monitor/Messages", &[IndexServer, Operator]),
    ("/asterism.monitor.v1.Monitor/MarkMessage", &[IndexServer, Operator]),
    ("/asterism.monitor.v1.Monitor/WatchMessages", &[IndexServer, Operator]),
    ("/asterism.monitor.v1.Monitor/Silences", &[IndexServer, Operator]),
    ("/asterism.monitor.v1.Monitor/AddSilence", &[IndexServer, Operator]),
    ("/asterism.monitor.v1.Monitor/EndSilence", &[IndexServer, Operator]),
    ("/asterism.monitor.v1.Monitor/TakeAlerts", &[IndexServer, Operator]),
];

/// The roles that may call `method` (`/package.Service/Method`); `None` if there is no such method.
pub fn allowed_roles(method: &str) -> Option<&'static [Role]> {
    TABLE.iter().find(|(name, _)| *name == method).map(|(_, roles)| *roles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_schema_has_a_rule_and_every_rule_a_method() {
        for method in METHODS {
            let roles = allowed_roles(method).unwrap_or_else(|| panic!("{method} has no rule"));
            assert!(!roles.is_empty(), "{method} may be called by nobody");
        }
        for (method, _) in TABLE {
            assert!(METHODS.contains(method), "{method} is not in the schema");
        }
    }

    #[test]
    fn a_storage_node_cannot_act_as_an_index() {
        for method in
            METHODS.iter().filter(|method| method.contains("ShardStore") || method.contains("Monitor/"))
        {
            assert!(!allowed_roles(method).unwrap().contains(&StorageNode), "{method}");
        }
    }
}

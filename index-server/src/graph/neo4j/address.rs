//! Where a Neo4j is and who we are to it: `bolt://USER:PASSWORD@HOST:PORT`.

use super::super::{GraphError, Result};
use asterism_service::Secret;
use http::uri::Authority;
use percent_encoding::percent_decode_str;

const FORM: GraphError = GraphError::Invalid(
    "the tag graph must be bolt://USER:PASSWORD@HOST:PORT (bolt+s:// for TLS), user and password percent-encoded",
);
const PORT: u16 = 7687;

/// A parsed address. Debug shows everything but the password; no error repeats any of it.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// Scheme, host and port alone.
    pub(super) url: String,
    pub(super) user: String,
    pub(super) password: Secret,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (scheme, rest) = text.split_once("://").ok_or(FORM)?;
        if !matches!(scheme, "bolt" | "bolt+s") {
            return Err(FORM);
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (account, host) = rest.rsplit_once('@').ok_or(FORM)?;
        let (user, password) = account.split_once(':').ok_or(FORM)?;
        let authority: Authority = host.parse().map_err(|_| FORM)?;
        let name = authority.host();
        let port = authority.port_u16().unwrap_or(PORT);
        // The parser overlooks a port that is no number.
        if name.is_empty() || (host != name && host != format!("{name}:{port}")) {
            return Err(FORM);
        }
        Ok(Self {
            url: format!("{scheme}://{name}:{port}"),
            user: decoded(user)?,
            password: Secret::new(decoded(password)?),
        })
    }
}

fn decoded(text: &str) -> Result<String> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| FORM)?;
    if text.is_empty() { Err(FORM) } else { Ok(text.into_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, url: &str, user: &str, password: &str) {
        let address = Address::parse(text).unwrap();
        assert_eq!((address.url.as_str(), address.user.as_str()), (url, user), "{text}");
        assert_eq!(address.password.expose(), password, "{text}");
        assert!(!format!("{address:?}").contains(password), "{text}");
    }

    #[test]
    fn account_and_place_are_told_apart() {
        check("bolt://neo4j:geheim@db:7688", "bolt://db:7688", "neo4j", "geheim");
        check("bolt://neo4j:geheim@127.0.0.1/", "bolt://127.0.0.1:7687", "neo4j", "geheim");
        check("bolt+s://u:a:b@[::1]:1", "bolt+s://[::1]:1", "u", "a:b");
        check("bolt://a%40b:p%40s%3As%2F%25%E5%AF%86@h", "bolt://h:7687", "a@b", "p@s:s/%密");
        check("bolt://u:p@ss@h", "bolt://h:7687", "u", "p@ss");
    }

    #[test]
    fn other_forms_are_refused_without_repeating_them() {
        for text in [
            "",
            "bolt://",
            "neo4j://u:hunter2@h",
            "http://u:hunter2@h",
            "bolt://h",
            "bolt://u@h",
            "bolt://u:@h",
            "bolt://:hunter2@h",
            "bolt://u:hunter2@",
            "bolt://u:hunter2@h:port",
            "bolt://u:hunter2@h:99999",
            "bolt://u:hunter2@h/db",
            "bolt://u:hunter2%FF@h",
            "u:hunter2@h",
        ] {
            let error = Address::parse(text).expect_err(text);
            assert!(matches!(error, GraphError::Invalid(_)), "{text}");
            assert!(!error.to_string().contains("hunter2"), "{text}");
        }
    }
}

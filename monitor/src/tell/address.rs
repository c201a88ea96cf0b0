//! Which addresses may be talked to. It is the connected address that is checked, not the name: a name that leads elsewhere a
//! moment later leads nowhere.

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Resolves names to the addresses among theirs that may be talked to, and to no others.
pub(super) struct Guard {
    pub(super) allow_private: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|found| is_allowed(found.ip(), allow_private)).collect();
            if allowed.is_empty() {
                return Err("its name leads to no address that may be talked to".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Whether a host that is an address already may be talked to; names are checked when they are resolved.
pub(super) fn host_is_allowed(url: &Url, allow_private: bool) -> bool {
    // `url` has made an address of 0x7f000001 and the like.
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(!host.is_empty(), |address| is_allowed(address, allow_private))
}

/// Whether `address` may be talked to. Metadata services of clouds never are.
fn is_allowed(address: IpAddr, allow_private: bool) -> bool {
    match address {
        IpAddr::V4(address) => !is_link_local(address) && (allow_private || is_public(address)),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_allowed(IpAddr::V4(inner), allow_private),
            None => {
                let first = address.segments()[0];
                let link_local = first & 0xffc0 == 0xfe80;
                let unique_local = first & 0xfe00 == 0xfc00;
                let special = address.is_unspecified() || address.is_multicast() || link_local;
                !special && (allow_private || !(address.is_loopback() || unique_local))
            }
        },
    }
}

fn is_link_local(address: Ipv4Addr) -> bool {
    address.is_link_local() || address.is_unspecified() || address.is_broadcast() || address.is_multicast()
}

fn is_public(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && b & 0xc0 == 64;
    let protocol = a == 192 && b == 0 && c == 0;
    let benchmark = a == 198 && b & 0xfe == 18;
    let not_used = a == 0 || a >= 240;
    let inside = address.is_loopback() || address.is_private() || address.is_documentation();
    !(inside || shared || protocol || benchmark || not_used)
}

/// The IPv4 address inside an IPv6 one: mapped, compatible, 6to4 and NAT64.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) => Some(join(g, h)),
        (0, 0, 0, 0, 0, 0) if g != 0 => Some(join(g, h)),
        (0x64, 0xff9b, ..) => Some(join(g, h)),
        (0x2002, ..) => Some(join(b, c)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str) -> (bool, bool) {
        let url: Url = url.parse().unwrap();
        (host_is_allowed(&url, false), host_is_allowed(&url, true))
    }

    #[test]
    fn addresses_outside_are_allowed() {
        for url in ["http://93.184.216.34/", "https://[2606:2800:220:1::1]/", "https://hooks.example/x"] {
            assert_eq!(check(url), (true, true), "{url}");
        }
    }

    #[test]
    fn addresses_inside_must_be_allowed() {
        for url in [
            "http://127.0.0.1/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://127.1/",
            "http://10.0.0.1/",
            "http://192.168.1.1/",
            "http://172.31.0.1/",
            "http://100.64.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fd00::1]/",
        ] {
            assert_eq!(check(url), (false, true), "{url}");
        }
    }

    #[test]
    fn some_addresses_are_never_allowed() {
        for url in [
            "http://169.254.169.254/latest/meta-data/",
            "http://[::ffff:169.254.169.254]/",
            "http://0.0.0.0/",
            "http://255.255.255.255/",
            "http://224.0.0.1/",
            "http://[fe80::1]/",
            "http://[::]/",
        ] {
            assert_eq!(check(url), (false, false), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_leads_nowhere() {
        let resolve =
            async |allow_private| Guard { allow_private }.resolve("localhost".parse().unwrap()).await;
        assert!(resolve(false).await.is_err());
        assert!(resolve(true).await.unwrap().count() > 0);
    }
}

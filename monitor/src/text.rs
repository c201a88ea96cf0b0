//! Texts from outside, made fit for a log line, a table and a terminal.

/// The first line of `text`, without control characters and cut to `chars_max`.
pub(crate) fn one_line(text: &str, chars_max: usize) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let clean = line.chars().map(|c| if c.is_control() || is_bidi(c) { '\u{fffd}' } else { c });
    clean.take(chars_max).collect::<String>().trim_end().to_owned()
}

/// Characters that reorder what is shown around them.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `host:port` with a host of letters, digits, `.`, `-` (or an IPv6 address in brackets); `None` for anything else.
pub(crate) fn host_and_port(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').filter(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())?,
        None => Some(host).filter(|host| is_host_name(host))?,
    };
    Some((host.to_owned(), port))
}

/// Whether `text` is a plain host name or an IP address.
pub(crate) fn is_host(text: &str) -> bool {
    is_host_name(text) || text.parse::<std::net::Ipv6Addr>().is_ok()
}

fn is_host_name(text: &str) -> bool {
    let inner = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'.';
    (1..=253).contains(&text.len()) && !text.starts_with(['-', '.']) && text.bytes().all(inner)
}

/// Whether `text` can stand in a metric label and in a URL's path as it is: 1 to 63 of `a-z A-Z 0-9 . _ -`.
pub(crate) fn is_label(text: &str) -> bool {
    let inner = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    (1..=63).contains(&text.len()) && !matches!(text, "." | "..") && text.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_harmless_line() {
        assert_eq!(one_line("  plain words \n second", 80), "plain words");
        assert_eq!(one_line("a\u{1b}[31mb\u{202e}c", 80), "a\u{fffd}[31mb\u{fffd}c");
        assert_eq!(one_line("文件系统", 2), "文件");
        assert_eq!(one_line("\n\n", 80), "");
    }

    #[test]
    fn addresses_are_checked() {
        for (good, host, port) in
            [("n1:22", "n1", 22), ("10.0.0.1:8500", "10.0.0.1", 8500), ("[::1]:80", "::1", 80)]
        {
            assert_eq!(host_and_port(good), Some((host.to_owned(), port)), "{good}");
        }
        for bad in [
            "", "n1", "n1:", "n1:0", "n1:70000", ":22", "-o:22", "a b:22", "a,b:22", "::1:80", "[x]:1",
            "a\n:1",
        ] {
            assert_eq!(host_and_port(bad), None, "{bad:?}");
        }
    }
}

//! The pinned host keys, in a file of OpenSSH's form. Nothing is trusted that does not stand there.

use super::PowerError;
use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::STANDARD_NO_PAD};
use sha2::{Digest, Sha256};
use ssh2::{CheckResult, KnownHostFileKind, Session};
use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// A file of thousands of hosts is smaller.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The name of a host in the file: a port other than 22 belongs to it.
pub fn host_name(host: &str, port: u16) -> String {
    if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") }
}

/// What people compare: `SHA256:` and the hash of the key, as OpenSSH shows it.
pub fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// The type that stands in front of every public key, such as `ssh-ed25519`.
pub fn key_type(key: &[u8]) -> Option<&str> {
    let (length, rest) = key.split_first_chunk::<4>()?;
    let text = std::str::from_utf8(rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?).ok()?;
    let inner = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'@');
    ((1..=64).contains(&text.len()) && text.bytes().all(inner)).then_some(text)
}

/// The line that pins `key` for the host `name`.
pub(super) fn line(name: &str, key: &[u8]) -> Option<String> {
    Some(format!("{name} {} {}\n", key_type(key)?, STANDARD.encode(key)))
}

/// Reads the file as text, or says why it cannot be believed.
pub(super) fn read(path: &Path) -> Result<String, PowerError> {
    let refused = |reason: String| PowerError::KnownHosts { path: path.to_owned(), reason };
    let unreadable = |error: io::Error| refused(error.to_string());
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.permissions().mode() & 0o002 != 0 {
        return Err(refused("everybody may write to it".into()));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(refused(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// The keys that the file `text` at `path` pins for the host `name`.
///
/// Hashed names are found too, by asking libssh2 of each line whether it means this host.
///
/// # Errors
/// A line is not understood: then none of the others is believed either.
pub(super) fn pinned(text: &str, path: &Path, name: &str) -> Result<Vec<Vec<u8>>, PowerError> {
    let refused = |number: usize, why: &str| PowerError::KnownHosts {
        path: path.to_owned(),
        reason: format!("line {}: {why}", number + 1),
    };
    let session = Session::new().map_err(|error| PowerError::Internal(error.into()))?;
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with('@') {
            // Misread, `@revoked` would be the opposite of what is meant.
            return Err(refused(number, "markers such as @revoked and @cert-authority are not supported"));
        }
        let key = line.split_ascii_whitespace().nth(2).and_then(|key| STANDARD.decode(key).ok());
        let key = key.ok_or_else(|| refused(number, "not a name, a key type and a key"))?;
        let mut known = session.known_hosts().map_err(|error| PowerError::Internal(error.into()))?;
        known
            .read_str(line, KnownHostFileKind::OpenSSH)
            .map_err(|_| refused(number, "not a line of a known_hosts file"))?;
        // By its full name: a key pinned for port 22 says nothing of another port's server.
        if matches!(known.check(name, &key), CheckResult::Match) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// The signature algorithms that prove a key of one of the types of `keys`: the server must choose among them, else it
/// would show a key of another type, which cannot be compared.
pub(super) fn algorithms(keys: &[Vec<u8>]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for kind in keys.iter().filter_map(|key| key_type(key)) {
        let proves = match kind {
            "ssh-rsa" => vec!["rsa-sha2-512", "rsa-sha2-256"],
            other => vec![other],
        };
        for name in proves {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[track_caller]
    fn check(text: &str, name: &str, expected: Result<usize, &str>) {
        match (pinned(text, Path::new("kh"), name), expected) {
            (Ok(keys), Ok(count)) => assert_eq!(keys.len(), count, "{text}"),
            (Err(error), Err(word)) => assert!(error.to_string().contains(word), "{error}"),
            (got, expected) => panic!("{text}: {got:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_host_is_found_by_its_full_name_only() {
        let text = format!("# pinned\n\n[h1]:2222,[10.0.0.1]:2222 ssh-ed25519 {ED25519} comment\n");
        check(&text, "[h1]:2222", Ok(1));
        check(&text, "[10.0.0.1]:2222", Ok(1));
        for other in ["h1", "[h1]:2223", "[h]:2222"] {
            check(&text, other, Ok(0));
        }
        check(&format!("h1 ssh-ed25519 {ED25519}\n"), "[h1]:2222", Ok(0));
    }

    #[test]
    fn a_file_that_is_not_understood_is_refused_whole() {
        let good = format!("h1 ssh-ed25519 {ED25519}\n");
        check(&format!("{good}@revoked h1 ssh-ed25519 {ED25519}\n"), "h1", Err("line 2: markers"));
        check(&format!("{good}nonsense\n"), "h1", Err("line 2: not a name"));
    }

    #[test]
    fn fingerprints_look_as_people_know_them() {
        let key = STANDARD.decode(ED25519).unwrap();
        assert_eq!(key_type(&key), Some("ssh-ed25519"));
        assert_eq!(fingerprint(&key), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
        assert_eq!(algorithms(&[key]), "ssh-ed25519");
    }

    #[test]
    fn a_key_that_is_none_has_no_type() {
        for bad in [&b""[..], b"\0\0\0", b"\0\0\0\x09short", b"\0\0\0\x03a b", b"\xff\xff\xff\xffx"] {
            assert_eq!(key_type(bad), None, "{bad:?}");
        }
    }
}

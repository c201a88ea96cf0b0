//! Signature version 4 of S3, as far as a load client needs it: no query, a payload that is not signed.

use sha2::{Digest, Sha256};
use std::fmt::Write;
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

const REGION: &str = "us-east-1";
const BLOCK_BYTES: usize = 64;
const MOMENT: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");
/// What stands in for the payload's hash: over TCP on one machine, hashing it would measure the client.
pub(crate) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// As whom requests are signed.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) access: String,
    pub(crate) secret: String,
}

/// Values of the headers that make a request a signed one, beside `x-amz-content-sha256`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) moment: String,
    pub(crate) authorization: String,
}

impl Keys {
    /// Signs a request for `path`, which needs no escaping, at `host`.
    pub(crate) fn sign(
        &self,
        method: &str,
        host: &str,
        path: &str,
        now: OffsetDateTime,
    ) -> anyhow::Result<Signed> {
        let moment = now.format(MOMENT)?;
        let headers = [("host", host), ("x-amz-content-sha256", UNSIGNED), ("x-amz-date", &*moment)];
        let authorization = self.authorization(method, path, &headers, UNSIGNED, &moment);
        Ok(Signed { moment, authorization })
    }

    /// `headers` are in the order of their names.
    fn authorization(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        payload: &str,
        moment: &str,
    ) -> String {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let request = format!("{method}\n{path}\n\n{lines}\n{names}\n{payload}");
        let day = &moment[..8];
        let scope = format!("{day}/{REGION}/s3/aws4_request");
        let request = hexadecimal(&Sha256::digest(request));
        let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{request}");
        let key = [day, REGION, "s3", "aws4_request"]
            .iter()
            .fold(format!("AWS4{}", self.secret).into_bytes(), |key, part| {
                hmac(&key, part.as_bytes()).to_vec()
            });
        let signature = hexadecimal(&hmac(&key, text.as_bytes()));
        let access = &self.access;
        format!("AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}")
    }
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK_BYTES];
    if key.len() > BLOCK_BYTES {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _a_string_takes_all = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 1, 2 and 6.
    #[test]
    fn hmac_is_the_published_one() {
        let check = |key: &[u8], message: &[u8], expected: &str| {
            assert_eq!(hexadecimal(&hmac(key, message)), expected);
        };
        check(&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        check(
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        check(
            &[0xaa; 131],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        );
    }

    /// "GET Object" of the examples in the S3 reference.
    #[test]
    fn a_signature_is_the_published_one() {
        let keys = Keys {
            access: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        };
        let empty = hexadecimal(&Sha256::digest(b""));
        let headers = [
            ("host", "examplebucket.s3.amazonaws.com"),
            ("range", "bytes=0-9"),
            ("x-amz-content-sha256", &*empty),
            ("x-amz-date", "20130524T000000Z"),
        ];
        let authorization = keys.authorization("GET", "/test.txt", &headers, &empty, "20130524T000000Z");
        let expected = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
                        SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
                        Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        assert_eq!(authorization, expected);
    }

    #[test]
    fn a_signature_is_bound_to_the_request_and_the_moment() {
        let keys = Keys { access: "a".into(), secret: "s".into() };
        let sign = |method: &str, path: &str, second: i64| {
            let now = OffsetDateTime::from_unix_timestamp(1_369_353_600 + second).unwrap();
            keys.sign(method, "10.0.0.1:9000", path, now).unwrap()
        };
        let one = sign("GET", "/b/x", 0);
        assert_eq!(one.moment, "20130524T000000Z");
        assert_eq!(one, sign("GET", "/b/x", 0));
        for other in [sign("PUT", "/b/x", 0), sign("GET", "/b/y", 0), sign("GET", "/b/x", 1)] {
            assert_ne!(one.authorization, other.authorization);
        }
    }
}

//! One SSH session, blocking: connect, prove the host, prove ourselves, give the order, read what it prints.

use super::{Credentials, Line};
use crate::power::{PowerError, known_hosts, line::ANSWER_BYTES_MAX};
use ssh2::{Channel, Error, ErrorCode, ExtendedData, MethodType, Session};
use std::{
    io::{self, Read},
    net::SocketAddr,
    time::Duration,
};

// Of libssh2.h.
const KEX_FAILURE: i32 = -5;
const TIMEOUT: i32 = -9;
const SOCKET_DISCONNECT: i32 = -13;
const FILE: i32 = -16;
const AUTHENTICATION_FAILED: i32 = -18;
const PUBLICKEY_UNVERIFIED: i32 = -19;
const METHOD_NOT_SUPPORTED: i32 = -33;

/// What the command printed, both streams together, and how it ended.
pub(super) struct Finished {
    pub(super) code: i32,
    pub(super) printed: String,
}

/// Gives `order` to the host at `addresses`.
pub(super) fn run(
    line: &Line,
    addresses: &[SocketAddr],
    credentials: &Credentials,
    order: &str,
) -> Result<Finished, PowerError> {
    let algorithms = known_hosts::algorithms(&credentials.pinned);
    let session = handshake(line, addresses, Some(&algorithms)).map_err(|failure| match failure {
        Failure::Power(error) => error,
        Failure::Session(error) if no_common_method(&error) => {
            PowerError::HostKeyMissing { host: credentials.host.clone() }
        }
        Failure::Session(error) => broken(line, &error),
    })?;
    prove_host(&session, credentials)?;
    authenticate(line, &session, credentials)?;
    let mut channel = open(line, &session, order).map_err(|error| broken(line, &error))?;
    let printed = read(line, &session, &mut channel)?;
    let code = close(line, &session, &mut channel)?;
    Ok(Finished { code, printed: String::from_utf8_lossy(&printed).into_owned() })
}

/// Why there is no session.
pub(in crate::power) enum Failure {
    Power(PowerError),
    Session(Error),
}

/// Connects and exchanges keys; the host is not proven yet.
pub(in crate::power) fn handshake(
    line: &Line,
    addresses: &[SocketAddr],
    host_key_algorithms: Option<&str>,
) -> Result<Session, Failure> {
    let stream = line.connect(addresses).map_err(Failure::Power)?;
    let mut session = Session::new().map_err(Failure::Session)?;
    if let Some(algorithms) = host_key_algorithms {
        session.method_pref(MethodType::HostKey, algorithms).map_err(Failure::Session)?;
    }
    session.set_tcp_stream(stream);
    limit(line, &session).map_err(Failure::Power)?;
    session.handshake().map_err(Failure::Session)?;
    Ok(session)
}

/// Every further call on `session` may take what is left of the time.
fn limit(line: &Line, session: &Session) -> Result<(), PowerError> {
    let left = line.left()?.max(Duration::from_millis(1));
    session.set_timeout(u32::try_from(left.as_millis()).unwrap_or(u32::MAX));
    Ok(())
}

fn prove_host(session: &Session, credentials: &Credentials) -> Result<(), PowerError> {
    let (key, _) =
        session.host_key().ok_or_else(|| PowerError::HostKeyMissing { host: credentials.host.clone() })?;
    if credentials.pinned.iter().any(|pinned| pinned == key) {
        return Ok(());
    }
    let fingerprint = known_hosts::fingerprint(key);
    Err(PowerError::HostKeyChanged { host: credentials.host.clone(), fingerprint })
}

fn authenticate(line: &Line, session: &Session, credentials: &Credentials) -> Result<(), PowerError> {
    limit(line, session)?;
    let entered = session.userauth_pubkey_memory(&credentials.user, None, &credentials.key, None);
    entered.map_err(|error| match error.code() {
        ErrorCode::Session(AUTHENTICATION_FAILED | PUBLICKEY_UNVERIFIED) => {
            PowerError::KeyRefused { host: credentials.host.clone(), user: credentials.user.clone() }
        }
        ErrorCode::Session(FILE) => PowerError::Key {
            path: credentials.key_file.clone(),
            reason: "it is not a private key without a passphrase".into(),
        },
        _ => broken(line, &error),
    })
}

fn open(line: &Line, session: &Session, order: &str) -> Result<Channel, Error> {
    let mut channel = session.channel_session()?;
    // One stream to read: two would need two readers, or the unread one stops the host.
    channel.handle_extended_data(ExtendedData::Merge)?;
    tracing::debug!(target = %line.target, order, "order given over SSH");
    channel.exec(order)?;
    Ok(channel)
}

fn read(line: &Line, session: &Session, channel: &mut Channel) -> Result<Vec<u8>, PowerError> {
    let mut printed = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        limit(line, session)?;
        match channel.read(&mut chunk) {
            Ok(0) => return Ok(printed),
            Ok(read) => printed.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(PowerError::Timeout { target: line.target.clone() });
            }
            Err(error) => {
                return Err(PowerError::Unreachable {
                    target: line.target.clone(),
                    reason: error.to_string(),
                });
            }
        }
        if printed.len() > ANSWER_BYTES_MAX {
            return Err(PowerError::TooMuchOutput {
                target: line.target.clone(),
                bytes_max: ANSWER_BYTES_MAX,
            });
        }
    }
}

fn close(line: &Line, session: &Session, channel: &mut Channel) -> Result<i32, PowerError> {
    limit(line, session)?;
    channel.wait_close().map_err(|error| broken(line, &error))?;
    let killed_by = channel.exit_signal().ok().and_then(|signal| signal.exit_signal);
    match killed_by {
        Some(signal) => Err(PowerError::Refused {
            target: line.target.clone(),
            said: format!("the command was ended by the signal {signal}"),
        }),
        None => channel.exit_status().map_err(|error| broken(line, &error)),
    }
}

fn no_common_method(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::Session(KEX_FAILURE | METHOD_NOT_SUPPORTED))
}

pub(in crate::power) fn broken(line: &Line, error: &Error) -> PowerError {
    let target = line.target.clone();
    match error.code() {
        ErrorCode::Session(TIMEOUT) => PowerError::Timeout { target },
        // A cut connection is how the time limit ends a call.
        ErrorCode::Session(SOCKET_DISCONNECT) if line.left().is_err() => PowerError::Timeout { target },
        _ => PowerError::Unreachable { target, reason: error.message().to_owned() },
    }
}

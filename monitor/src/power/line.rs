//! The line protocol of the supervisor's socket and of the forced command: a verb and a name, answered by one line.

use super::{PowerError, Verb};
use crate::text::one_line;
use asterism_proto::NodeName;

/// More than this is no answer.
pub(super) const ANSWER_BYTES_MAX: usize = 64 << 10;
const SENTENCE_CHARS_MAX: usize = 300;

/// What became of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It runs.
    Running {
        /// Its process.
        pid: u32,
    },
    /// It does not run.
    Stopped,
}

/// The order, without a line break. A node's name holds nothing that a shell would read as more than a word.
pub(super) fn order(verb: Verb, node: &NodeName) -> String {
    format!("{verb} {node}")
}

/// Reads what `target` printed: `ok running PID`, `ok stopped` or `error SENTENCE`, in a line of its own.
///
/// Other lines are skipped: a host may greet everybody who logs in.
pub(super) fn answer(target: &str, printed: &str) -> Result<Answer, PowerError> {
    let target = || target.to_owned();
    let line = printed.lines().find(|line| line.starts_with("ok ") || line.starts_with("error "));
    if let Some(said) = line.and_then(|line| line.strip_prefix("error ")) {
        return Err(PowerError::Refused { target: target(), said: sentence(said) });
    }
    line.and_then(parse_ok).ok_or_else(|| PowerError::BadAnswer { target: target(), said: sentence(printed) })
}

fn parse_ok(line: &str) -> Option<Answer> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    match words[..] {
        ["ok", "stopped"] => Some(Answer::Stopped),
        ["ok", "running", pid] => Some(Answer::Running { pid: pid.parse().ok().filter(|pid| *pid > 0)? }),
        _ => None,
    }
}

/// The first line of what was printed, for a person.
pub(super) fn sentence(printed: &str) -> String {
    one_line(printed, SENTENCE_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(printed: &str, expected: Result<Answer, &str>) {
        let read = answer("h1", printed).map_err(|error| error.to_string());
        assert_eq!(read, expected.map_err(str::to_owned), "{printed:?}");
    }

    #[test]
    fn the_three_answers_are_understood() {
        check("ok running 17\n", Ok(Answer::Running { pid: 17 }));
        check("ok stopped\n", Ok(Answer::Stopped));
        check("error there is no node n9\n", Err("h1 says: there is no node n9"));
    }

    #[test]
    fn a_greeting_does_not_matter() {
        check("Welcome to h1\n\nok stopped\n", Ok(Answer::Stopped));
    }

    #[test]
    fn anything_else_is_no_answer() {
        for bad in [
            "ok",
            "ok running",
            "ok running -1",
            "ok running 0",
            "ok running 1 2",
            "okay stopped",
            "ok maybe",
        ] {
            check(bad, Err(&format!("h1 gave an answer that is none: {bad:?}")));
        }
        check("", Err("h1 gave an answer that is none: \"\""));
        check("error \u{1b}[31mred\n", Err("h1 says: \u{fffd}[31mred"));
    }
}

//! What happens at a point in builds that have them.

use super::ALL;
use std::{
    cell::RefCell,
    env,
    fs::File,
    io::Write,
    process,
    rc::Rc,
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

type Told = Rc<dyn Fn(&'static str)>;

thread_local! {
    static TOLD: RefCell<Option<Told>> = const { RefCell::new(None) };
}

/// While it lives, the points on its thread are told to who asked for it.
#[must_use = "the watch ends when this is dropped"]
pub struct Watch(Option<Told>);

/// Has `told` called at each point that this thread comes to, instead of what the environment asks for. It may unwind, which ends
/// what is running as a crash would, except that destructors run.
pub fn watch(told: impl Fn(&'static str) + 'static) -> Watch {
    Watch(TOLD.replace(Some(Rc::new(told))))
}

impl Drop for Watch {
    fn drop(&mut self) {
        TOLD.set(self.0.take());
    }
}

pub(super) fn hit(name: &'static str) {
    let at = ALL.iter().position(|point| point.name == name);
    let Some(at) = at else { panic!("{name} is not in the list of failpoints") };
    // Cloned, so that what is told may come to a point itself.
    match TOLD.with_borrow(Clone::clone) {
        Some(told) => told(name),
        None => environment().reach(at),
    }
}

/// What the environment asks for.
struct Environment {
    /// The point at which this process ends, and at which of its turns there.
    end: Option<(usize, u64)>,
    turns: AtomicU64,
    log: Option<File>,
    logged: Vec<AtomicBool>,
}

fn environment() -> &'static Environment {
    static ASKED: OnceLock<Environment> = OnceLock::new();
    ASKED.get_or_init(|| {
        let end = env::var("ASTERISM_FAILPOINT").ok().map(|asked| {
            parse(&asked).unwrap_or_else(|| refuse(&format!("ASTERISM_FAILPOINT={asked} is no failpoint")))
        });
        let log = env::var_os("ASTERISM_FAILPOINT_LOG").map(|path| {
            let opened = File::options().create(true).append(true).open(path);
            opened
                .unwrap_or_else(|error| refuse(&format!("ASTERISM_FAILPOINT_LOG cannot be opened: {error}")))
        });
        let logged = ALL.iter().map(|_| AtomicBool::new(false)).collect();
        Environment { end, turns: AtomicU64::new(0), log, logged }
    })
}

/// A test that asks for what cannot be must not go on as if it had been done.
#[expect(clippy::disallowed_methods, reason = "it is called from anywhere and never in a release")]
fn refuse(reason: &str) -> ! {
    eprintln!("{reason}");
    process::exit(2)
}

/// `NAME` or `NAME:N`.
fn parse(asked: &str) -> Option<(usize, u64)> {
    let (name, turn) = match asked.split_once(':') {
        Some((name, turn)) => (name, turn.parse().ok().filter(|&turn| turn > 0)?),
        None => (asked, 1),
    };
    Some((ALL.iter().position(|point| point.name == name)?, turn))
}

impl Environment {
    fn reach(&self, at: usize) {
        if let Some(mut log) = self.log.as_ref()
            && !self.logged[at].swap(true, Ordering::Relaxed)
        {
            // One write to a file that is appended to: several processes may share it.
            if let Err(error) = log.write_all(format!("{}\n", ALL[at].name).as_bytes()) {
                refuse(&format!("the log of failpoints cannot be written: {error}"));
            }
        }
        if let Some((end, turn)) = self.end
            && end == at
            && self.turns.fetch_add(1, Ordering::Relaxed) + 1 == turn
        {
            eprintln!("failpoint {} reached: this process ends", ALL[at].name);
            process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        cell::Cell,
        fs,
        os::unix::process::ExitStatusExt,
        panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
        path::Path,
        process::{Command, Output},
    };

    #[test]
    fn who_watches_is_told_and_may_unwind() {
        let turns = Rc::new(Cell::new(0));
        let told = Rc::clone(&turns);
        let watching = watch(move |name| {
            assert_eq!(name, "write.all_acked");
            told.set(told.get() + 1);
            if told.get() == 2 {
                resume_unwind(Box::new("crash"));
            }
        });
        hit("write.all_acked");
        assert!(catch_unwind(AssertUnwindSafe(|| hit("write.all_acked"))).is_err());
        drop(watching);
        hit("write.all_acked");
        assert_eq!(turns.get(), 2);
    }

    #[test]
    #[should_panic(expected = "not in the list")]
    fn a_name_that_is_not_listed_is_a_mistake() {
        hit("no.such_point");
    }

    /// What the processes of the next tests run; in the test run itself nothing is asked for, and nothing happens.
    #[test]
    fn passes_three_points() {
        for name in ["write.shard_acked", "write.shard_acked", "write.all_acked"] {
            hit(name);
        }
    }

    fn run(failpoint: Option<&str>, log: &Path) -> Output {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "failpoint::armed::tests::passes_three_points", "--nocapture"]);
        command.env("ASTERISM_FAILPOINT_LOG", log);
        if let Some(failpoint) = failpoint {
            command.env("ASTERISM_FAILPOINT", failpoint);
        }
        command.output().unwrap()
    }

    fn check(failpoint: Option<&str>, is_aborted: bool, reached: &str) {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let ended = run(failpoint, &log);
        assert_eq!(ended.status.signal() == Some(6), is_aborted, "{failpoint:?}: {ended:?}");
        assert_eq!(fs::read_to_string(log).unwrap(), reached, "{failpoint:?}");
    }

    #[test]
    fn the_environment_ends_a_process_at_the_turn_it_names() {
        check(None, false, "write.shard_acked\nwrite.all_acked\n");
        check(Some("write.shard_acked"), true, "write.shard_acked\n");
        check(Some("write.shard_acked:2"), true, "write.shard_acked\n");
        check(Some("write.shard_acked:3"), false, "write.shard_acked\nwrite.all_acked\n");
        check(Some("write.all_acked"), true, "write.shard_acked\nwrite.all_acked\n");
    }

    #[test]
    fn what_cannot_be_asked_for_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for asked in ["no.such_point", "write.all_acked:0", "write.all_acked:x", ""] {
            let ended = run(Some(asked), &directory.path().join("log"));
            assert_eq!(ended.status.code(), Some(2), "{asked}");
        }
    }
}

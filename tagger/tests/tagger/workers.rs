//! Real child processes: ones that work, and ones that crash, hang, lie and die.

use std::env;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use asterism_tagger::{Pool, Request, Tag, TagError};

use crate::fixtures::{self, MAY_2024_MS};
use crate::hostile::Random;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(2);

fn worker_command() -> Vec<String> {
    vec![env!("CARGO_BIN_EXE_asterism-tagger").to_owned(), "worker".to_owned()]
}

fn shell(script: &str) -> Vec<String> {
    ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
}

fn notes() -> Request {
    let text = fixtures::ENGLISH.as_bytes().to_vec();
    Request::new("notes.txt", text.len() as u64, MAY_2024_MS, text)
}

fn has(tags: &[Tag], name: &str) -> bool {
    tags.iter().any(|tag| tag.name == name)
}

/// Waits for something that a process does in its own time.
async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_worker_says_what_the_library_says() {
    let pool = Pool::new(worker_command(), 2, LONG);
    for (name, content) in fixtures::all() {
        let request = Request::new(name, content.len() as u64, MAY_2024_MS, content);
        assert_eq!(pool.tag(&request).await.unwrap(), asterism_tagger::tag(request.input()), "{name}");
    }
    assert_eq!(pool.idle_workers().len(), 1, "one at a time needs one worker");
}

#[tokio::test]
async fn a_worker_that_crashes_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let flag = directory.path().join("crashed");
    let program = env!("CARGO_BIN_EXE_asterism-tagger");
    let script =
        format!("[ -e '{0}' ] || {{ : > '{0}'; kill -SEGV $$; }}; exec '{program}' worker", flag.display());
    let pool = Pool::new(shell(&script), 1, LONG);
    match pool.tag(&notes()).await {
        Err(TagError::Crashed { how }) => assert!(how.contains("11"), "{how}"),
        other => panic!("{other:?}"),
    }
    assert!(has(&pool.tag(&notes()).await.unwrap(), "erasure coding"));
}

#[tokio::test]
async fn a_worker_that_hangs_is_killed_and_reaped() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let pool = Pool::new(shell(&format!("echo $$ > '{}'; exec sleep 1000", file.display())), 1, SHORT);
    assert!(matches!(pool.tag(&notes()).await, Err(TagError::Timeout { limit: SHORT })));
    let pid = fs::read_to_string(&file).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "not even a zombie is left");
}

#[tokio::test]
async fn a_worker_that_lies_is_not_believed() {
    for lie in [
        "printf '\\377\\377\\377\\377'; exec cat > /dev/null", // An answer of 4 GiB.
        "printf '\\005\\0\\0\\0hello'; exec cat > /dev/null",  // Not JSON.
        "printf '\\002\\0'",                                   // An end in the middle.
        "exit 0",
    ] {
        let pool = Pool::new(shell(lie), 1, LONG);
        assert!(matches!(pool.tag(&notes()).await, Err(TagError::Crashed { .. })), "{lie}");
        assert!(pool.idle_workers().is_empty());
    }
}

#[tokio::test]
async fn a_worker_that_floods_its_log_still_answers() {
    let program = env!("CARGO_BIN_EXE_asterism-tagger");
    let flood =
        format!("head -c 1000000 /dev/zero >&2; yes complaint | head -n 100000 >&2; exec '{program}' worker");
    assert!(Pool::new(shell(&flood), 1, LONG).tag(&notes()).await.is_ok());
}

#[tokio::test]
async fn a_missing_program_is_not_the_files_fault() {
    for command in [vec!["/no/such/program".to_owned()], Vec::new()] {
        let pool = Pool::new(command, 1, LONG);
        assert!(matches!(pool.tag(&notes()).await, Err(TagError::Unavailable(_))));
    }
}

#[tokio::test]
async fn idle_workers_end_and_come_back() {
    let pool = Pool::new(worker_command(), 1, LONG).with_idle_time(Duration::from_millis(50));
    pool.tag(&notes()).await.unwrap();
    eventually("the idle worker ends", || pool.idle_workers().is_empty()).await;
    assert!(pool.tag(&notes()).await.is_ok());
}

#[tokio::test]
async fn workers_work_side_by_side_but_no_more_than_allowed() {
    let pool = Pool::new(worker_command(), 2, LONG);
    let request = notes();
    let answers = futures_of(&pool, &request, 8).await;
    assert!(answers.iter().all(|tags| has(tags, "erasure coding")));
    assert!((1..=2).contains(&pool.idle_workers().len()));
}

async fn futures_of(pool: &Pool, request: &Request, count: usize) -> Vec<Vec<Tag>> {
    let mut answers = Vec::new();
    for _ in 0..count / 2 {
        let (one, other) = tokio::join!(pool.tag(request), pool.tag(request));
        answers.extend([one.unwrap(), other.unwrap()]);
    }
    answers
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_worker_behind() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let pool = Pool::new(shell(&format!("echo $$ > '{}'; exec sleep 1000", file.display())), 1, LONG);
    let started = || fs::read_to_string(&file).is_ok_and(|pid| pid.ends_with('\n'));
    let request = notes();
    tokio::select! {
        answer = pool.tag(&request) => panic!("{answer:?}"),
        () = eventually("the worker starts", started) => {}
    }
    let pid = fs::read_to_string(&file).unwrap();
    eventually("the worker is killed", || !Path::new("/proc").join(pid.trim()).exists()).await;
}

#[tokio::test]
async fn a_worker_holds_no_rights() {
    let pool = Pool::new(worker_command(), 1, LONG);
    pool.tag(&notes()).await.unwrap();
    let worker = pool.idle_workers()[0];
    let limits = fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
    let soft = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(soft("Max address space"), (1_u64 << 30).to_string());
    for nothing in ["Max file size", "Max open files", "Max core file size", "Max processes"] {
        assert_eq!(soft(nothing), "0", "{nothing}");
    }
    assert!(soft("Max cpu time").parse::<u64>().unwrap() <= 60, "each file has its seconds");
    let status = fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
    assert!(status.contains("NoNewPrivs:\t1"));
    let user = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    assert!(!user.split_whitespace().skip(1).any(|id| id == "0"), "{user}");
}

/// The parser of PDF inflates without a limit of its own, so the process has one.
#[tokio::test]
async fn an_inflating_pdf_ends_with_its_worker() {
    let pool = Pool::new(worker_command(), 1, LONG);
    let bomb = fixtures::inflating_pdf(2 << 30);
    let request = Request::new("bomb.pdf", bomb.len() as u64, MAY_2024_MS, bomb);
    assert!(matches!(pool.tag(&request).await, Err(TagError::Crashed { .. })));
    assert!(has(&pool.tag(&notes()).await.unwrap(), "erasure coding"));
}

/// Mutants of each format, in workers: what slips through the library's guards (an abort, an endless loop, all the
/// memory) must end there. The counts are told, and the last file is as good as the first. `MUTANTS_PER_FORMAT=7000` makes
/// a hundred thousand of them.
#[tokio::test]
async fn mutants_cannot_hurt_the_parent() {
    let pool = Pool::new(worker_command(), 1, Duration::from_secs(20));
    let mutants: usize = env::var("MUTANTS_PER_FORMAT").map_or(250, |count| count.parse().unwrap());
    let mut random = Random(7);
    let (mut files, mut crashed, mut slow) = (0, 0, 0);
    for (name, content) in fixtures::all() {
        for _ in 0..mutants {
            let mutant = random.mutate(&content);
            let request = Request::new(name, mutant.len() as u64, MAY_2024_MS, mutant);
            files += 1;
            match pool.tag(&request).await {
                Ok(tags) => assert!(!tags.is_empty()),
                Err(TagError::Crashed { how }) => {
                    println!("a mutant of {name}: {how}");
                    crashed += 1;
                }
                Err(TagError::Timeout { .. }) => slow += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    println!("{files} mutants: {crashed} crashed a worker, {slow} hung one");
    assert!(has(&pool.tag(&notes()).await.unwrap(), "erasure coding"));
}

//! What a process takes from the world beside disks and networks: the wall clock, random numbers, and threads that work for it.
//!
//! A simulation of a whole cluster on one thread brings its own ([`simulate`]), so that what happens follows from a seed. The rest
//! of the program asks here and knows nothing of it.

use std::{
    cell::RefCell,
    hash::{BuildHasher, Hasher, RandomState},
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{SystemTime, UNIX_EPOCH},
};
use uuid::{Builder, Uuid};

thread_local! {
    static SIMULATED: RefCell<Option<Rc<dyn Simulated>>> = const { RefCell::new(None) };
}

/// Another world for one thread.
pub trait Simulated {
    /// Unix milliseconds of the wall clock, which may be wrong and may jump.
    fn unix_ms(&self) -> i64;
    /// Any number.
    fn random(&self) -> u64;
}

/// While it lives, its thread is in a simulated world.
#[must_use = "the simulated world ends when this is dropped"]
pub struct Stay(Option<Rc<dyn Simulated>>);

/// Brings this thread into another world.
pub fn simulate(world: Rc<dyn Simulated>) -> Stay {
    Stay(SIMULATED.replace(Some(world)))
}

impl Drop for Stay {
    fn drop(&mut self) {
        SIMULATED.set(self.0.take());
    }
}

fn simulated() -> Option<Rc<dyn Simulated>> {
    SIMULATED.with_borrow(Clone::clone)
}

/// Whether this thread is in a simulated world.
pub fn is_simulated() -> bool {
    SIMULATED.with_borrow(Option::is_some)
}

/// Unix milliseconds. For people to read, and for rows that wait; no order rests on it.
pub fn unix_ms() -> i64 {
    if let Some(world) = simulated() {
        return world.unix_ms();
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A number good enough to spread retries, not for secrets.
pub fn random() -> u64 {
    match simulated() {
        Some(world) => world.random(),
        // Every `RandomState` has fresh keys, so the hash of nothing is a random number.
        None => RandomState::new().build_hasher().finish(),
    }
}

/// A new random UUID.
pub fn new_uuid() -> Uuid {
    let Some(world) = simulated() else { return Uuid::new_v4() };
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&world.random().to_le_bytes());
    bytes[8..].copy_from_slice(&world.random().to_le_bytes());
    Builder::from_random_bytes(bytes).into_uuid()
}

/// `work`, which threads of a library do. In a simulated world nothing else happens on this thread until they are done: how long they
/// take, and who of them is first, follows from no seed. There it must wait for nothing but threads.
pub async fn at_once<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    std::future::poll_fn(|context| match is_simulated() {
        true => Poll::Ready(wait(work.as_mut())),
        false => work.as_mut().poll(context),
    })
    .await
}

/// Polls `work` until it is done, and sleeps in between.
fn wait<F: Future>(work: Pin<&mut F>) -> F::Output {
    // The task's budget would run out without a chance of getting a new one.
    let mut work = pin!(tokio::task::unconstrained(work));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(done) = work.as_mut().poll(&mut context) {
            return done;
        }
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, time::Duration};

    struct Counting(Cell<u64>);

    impl Simulated for Counting {
        fn unix_ms(&self) -> i64 {
            7
        }

        fn random(&self) -> u64 {
            self.0.replace(self.0.get() + 1)
        }
    }

    #[test]
    fn a_simulated_world_is_one_threads_and_ends() {
        let before = unix_ms();
        let stay = simulate(Rc::new(Counting(Cell::new(1))));
        assert_eq!((unix_ms(), random(), random()), (7, 1, 2));
        let again = simulate(Rc::new(Counting(Cell::new(3))));
        assert_eq!(new_uuid().get_version_num(), 4);
        assert!(!thread::spawn(is_simulated).join().unwrap());
        drop(again);
        assert_eq!(random(), 3, "back in the world before");
        drop(stay);
        assert!(!is_simulated() && unix_ms() >= before && new_uuid() != new_uuid());
    }

    #[test]
    fn nothing_else_happens_while_a_thread_works() {
        let stay = simulate(Rc::new(Counting(Cell::new(0))));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let others = Rc::new(Cell::new(0));
        let counted = Rc::clone(&others);
        let seen = runtime.block_on(async move {
            let work = async {
                let (done, waits) = tokio::sync::oneshot::channel();
                thread::spawn(move || {
                    thread::park_timeout(Duration::from_millis(20));
                    done.send(()).unwrap();
                });
                waits.await.unwrap();
                counted.get()
            };
            let other = async {
                tokio::task::yield_now().await;
                counted.set(counted.get() + 1);
            };
            tokio::join!(at_once(work), other).0
        });
        assert_eq!((seen, others.get()), (0, 1));
        drop(stay);
    }
}

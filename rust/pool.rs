//! The thread pools that the core works on.
//!
//! Rayon's global pool cannot be used: its threads do not exist in a forked child, where a call
//! would wait for them for ever. So every process makes its own pools when it first needs them.
//! There are two: one for the call that can be stopped, of which there is one at a time, and one
//! for all other calls, so that stopping the first stops nothing else.

use std::io;
use std::panic::{self, AssertUnwindSafe, resume_unwind};
use std::process;
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicPtr};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::cancel::{catch, set_stop_flag};
use crate::error::{Error, Result};

/// How long a caller waits before it asks `go_on` again.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The pools of a process. They are never freed: a forked child cannot free its parent's threads,
/// and a process that ends need not.
struct Pools {
    process: u32,
    stoppable: OnceLock<ThreadPool>,
    others: OnceLock<ThreadPool>,
    /// Tells whether a call uses the stoppable pool.
    taken: AtomicBool,
    /// The stop flag of that call.
    stop: AtomicBool,
}

/// Runs `work` on the pool and returns as an error what it throws.
pub fn run<R: Send>(work: impl FnOnce() -> Result<R> + Send) -> Result<R> {
    let pools = Pools::of_this_process();
    let pool = get_or_build(&pools.others, None)?;
    pool.install(|| catch(work))
}

/// Like [`run`], but calls `go_on` every 50 milliseconds on the calling thread. When that returns
/// false, the work is told to stop, and once it has, [`Error::Stopped`] is returned.
///
/// A nested or concurrent call cannot be stopped; it is the same as [`run`].
pub fn run_while<R: Send>(
    work: impl FnOnce() -> Result<R> + Send,
    mut go_on: impl FnMut() -> bool,
) -> Result<R> {
    let pools = Pools::of_this_process();
    if pools.taken.swap(true, AcqRel) {
        return run(work);
    }
    let _release = ReleaseOnDrop(&pools.taken);
    pools.stop.store(false, Relaxed);
    let pool = get_or_build(&pools.stoppable, Some(&pools.stop))?;
    let (outcome, done) = (Mutex::new(None), Condvar::new());
    let lock = || outcome.lock().unwrap_or_else(PoisonError::into_inner);
    pool.in_place_scope(|scope| {
        scope.spawn(|_| {
            // A panic is an outcome too: it must wake the thread that waits.
            let found = panic::catch_unwind(AssertUnwindSafe(|| catch(work)));
            *lock() = Some(found);
            done.notify_one();
        });
        loop {
            let waited =
                done.wait_timeout_while(lock(), POLL_INTERVAL, |outcome| outcome.is_none());
            let (outcome, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            if !waited.timed_out() {
                return;
            }
            drop(outcome);
            if !go_on() {
                pools.stop.store(true, Relaxed);
                return; // The scope waits for the spawned work.
            }
        }
    });
    match outcome.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(Err(panic)) => resume_unwind(panic),
        Some(Ok(found)) if !pools.stop.load(Relaxed) => found,
        _ => Err(Error::Stopped),
    }
}

impl Pools {
    /// Returns the pools of this process, and makes them at its first call.
    fn of_this_process() -> &'static Self {
        static CURRENT: AtomicPtr<Pools> = AtomicPtr::new(ptr::null_mut());
        let process = process::id();
        let current = CURRENT.load(Acquire);
        // SAFETY: the pointer is null or was leaked below, and its target is never changed or
        // freed.
        if let Some(pools) = unsafe { current.as_ref() }
            && pools.process == process
        {
            return pools;
        }
        // This is the first call of the process. There is no lock here, because a fork may happen
        // while the parent holds it.
        let fresh: &'static Self = Box::leak(Box::new(Self {
            process,
            stoppable: OnceLock::new(),
            others: OnceLock::new(),
            taken: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        }));
        let place = ptr::from_ref(fresh).cast_mut();
        match CURRENT.compare_exchange(current, place, AcqRel, Acquire) {
            Ok(_) => fresh,
            // SAFETY: as above; another thread of this process has stored its own pools.
            Err(other) => unsafe { other.as_ref() }.unwrap_or(fresh),
        }
    }
}

/// Returns a pool, and builds it at the first call, with rayon's default number of threads. Its
/// threads check the flag `stop`.
fn get_or_build(
    pool: &'static OnceLock<ThreadPool>,
    stop: Option<&'static AtomicBool>,
) -> Result<&'static ThreadPool> {
    if let Some(pool) = pool.get() {
        return Ok(pool);
    }
    let new = ThreadPoolBuilder::new()
        .thread_name(|i| format!("stage2-{i}"))
        .start_handler(move |_| set_stop_flag(stop))
        .build()
        .map_err(|error| Error::Threads(io::Error::other(error)))?;
    // If two threads build the pool at once, one of them is dropped.
    Ok(pool.get_or_init(|| new))
}

/// Releases the stoppable pool when dropped.
struct ReleaseOnDrop<'a>(&'a AtomicBool);

impl Drop for ReleaseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use rayon::prelude::*;

    use super::*;
    use crate::cancel::check;

    fn endless() -> Result<()> {
        (0..64).into_par_iter().for_each(|_| {
            loop {
                check();
                thread::yield_now();
            }
        });
        Ok(())
    }

    #[test]
    fn endless_work_stops_and_leaves_the_pool_usable() {
        for _ in 0..2 {
            assert!(matches!(run_while(endless, || false), Err(Error::Stopped)));
            assert_eq!(run_while(|| Ok(7), || true).expect("not told to stop"), 7);
        }
    }

    #[test]
    fn other_work_is_not_stopped() {
        let mut asked = 0;
        let stopped = run_while(endless, || {
            asked += 1;
            let sum = || {
                Ok((0..100_000u64)
                    .into_par_iter()
                    .inspect(|_| check())
                    .sum::<u64>())
            };
            let within = run_while(sum, || false).expect("a call within a call is not stopped");
            assert_eq!(within, run(sum).expect("nothing to stop it"));
            asked < 2
        });
        assert!(stopped.is_err());
    }

    #[test]
    fn an_error_of_the_work_is_returned() {
        let fail = || -> Result<()> { Err(Error::Usage("no".into())) };
        for failed in [run(fail), run_while(fail, || true)] {
            assert_eq!(failed.expect_err("it failed").to_string(), "no");
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_at_once() {
        const LONG: usize = 100;
        let fail = || -> Result<()> {
            (0..64).into_par_iter().for_each(|i| {
                if i == 40 {
                    resume_unwind(Box::new(i)); // This panic prints nothing.
                }
            });
            Ok(())
        };
        let mut asked = 0;
        let waiting = AssertUnwindSafe(|| {
            run_while(fail, || {
                asked += 1;
                asked < LONG
            })
        });
        let panicked = panic::catch_unwind(waiting).expect_err("it panicked");
        assert_eq!(panicked.downcast_ref(), Some(&40));
        assert!(asked < LONG, "the panic was not waited for");
        let panicked = panic::catch_unwind(|| run(fail)).expect_err("it panicked");
        assert_eq!(panicked.downcast_ref(), Some(&40));
        assert_eq!(run_while(|| Ok(7), || true).expect("the pool goes on"), 7);
    }
}

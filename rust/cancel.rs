//! Cancellation: work can be told to stop.
//!
//! The caller that starts work on a [`pool`](crate::pool) may set its stop flag. The loops of the
//! work call [`check`] now and then, and unwind once the flag is set, as salsa's cancelled queries
//! do. So loops that cannot fail need no `Result`, and everything the work holds, such as a half
//! written file, is dropped on the way. A failed allocation unwinds in the same way, by [`throw`].
//! Threads outside such a pool have no stop flag, and a check there does nothing.

use std::cell::Cell;
use std::cmp::Ordering;
use std::panic::{self, AssertUnwindSafe, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::error::{Error, Result};

thread_local! {
    /// The stop flag that this thread's checks read.
    static STOP_FLAG: Cell<Option<&'static AtomicBool>> = const { Cell::new(None) };
}

/// The payload of the unwinding.
struct Thrown(Error);

/// Sets the stop flag of this thread.
pub fn set_stop_flag(flag: Option<&'static AtomicBool>) {
    STOP_FLAG.set(flag);
}

/// Returns the stop flag of this thread, so that a helper thread can share it.
pub fn stop_flag() -> Option<&'static AtomicBool> {
    STOP_FLAG.get()
}

/// Ends the work if its stop flag is set. This takes about a nanosecond.
#[inline]
pub fn check() {
    if STOP_FLAG.get().is_some_and(|flag| flag.load(Relaxed)) {
        throw(Error::Stopped);
    }
}

/// Ends the work with an error, which [`catch`] returns. This is not a panic: nothing is printed.
#[cold]
pub fn throw(error: Error) -> ! {
    resume_unwind(Box::new(Thrown(error)))
}

/// Runs some work and returns as an error what it throws. A panic stays a panic.
pub fn catch<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    // Half finished results are dropped together with the work.
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let Thrown(error) = *payload
            .downcast::<Thrown>()
            .unwrap_or_else(|panic| resume_unwind(panic));
        Err(error)
    })
}

/// Calls [`check`] once in `STEPS` steps, for loops whose steps are shorter than a check.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ticks(u32);

impl Ticks {
    /// The number of steps between two checks.
    const STEPS: u32 = 1 << 12;

    /// Counts one step.
    #[inline]
    pub fn tick(&mut self) {
        self.0 = self.0.wrapping_add(1);
        if self.0.is_multiple_of(Self::STEPS) {
            check();
        }
    }
}

/// Sorts like `sort_unstable_by`, but can be stopped.
pub fn sort_unstable_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    /// Shorter slices are sorted within a few milliseconds and need no checks.
    const SHORT: usize = 1 << 14;
    if items.len() <= SHORT {
        return items.sort_unstable_by(compare);
    }
    let mut ticks = Ticks::default();
    items.sort_unstable_by(|a, b| {
        ticks.tick();
        compare(a, b)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised_flag() -> &'static AtomicBool {
        Box::leak(Box::new(AtomicBool::new(true)))
    }

    #[test]
    fn a_thrown_error_is_caught() {
        let caught = catch(|| -> Result<()> { throw(Error::Usage("no".into())) });
        assert_eq!(caught.expect_err("thrown").to_string(), "no");
        assert_eq!(catch(|| Ok(3)).expect("nothing thrown"), 3);
    }

    #[test]
    fn a_panic_is_not_an_error() {
        let panicked =
            panic::catch_unwind(|| catch(|| -> Result<()> { resume_unwind(Box::new(7)) }));
        assert_eq!(panicked.expect_err("it panicked").downcast_ref(), Some(&7));
    }

    #[test]
    fn without_a_stop_flag_a_check_does_nothing() {
        check();
        set_stop_flag(Some(raised_flag()));
        let stopped = catch(|| {
            check();
            Ok(())
        });
        set_stop_flag(None);
        assert!(matches!(stopped, Err(Error::Stopped)));
    }

    #[test]
    fn a_long_sort_stops() {
        let compare =
            |a: &u32, b: &u32| (a.wrapping_mul(0x9e37_79b9)).cmp(&b.wrapping_mul(0x9e37_79b9));
        let mut items: Vec<u32> = (0..100_000).collect();
        sort_unstable_by(&mut items, compare);
        assert!(items.is_sorted_by(|a, b| compare(a, b).is_le()));
        items.sort_unstable();
        set_stop_flag(Some(raised_flag()));
        let stopped = catch(|| {
            sort_unstable_by(&mut items, compare);
            Ok(())
        });
        set_stop_flag(None);
        assert!(stopped.is_err());
        items.sort_unstable();
        assert!(
            items.into_iter().eq(0..100_000),
            "what was sorted is all there"
        );
    }
}

//! Room for what is large.

use std::alloc::{Layout, alloc_zeroed};
use std::borrow::Cow;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::cancel::throw;
use crate::error::{Error, Result};

/// Less is not worth a 2 MiB page.
const MIN_HUGE: usize = 4 << 20;

/// What to count with where a system does not tell how much memory there is.
const ASSUMED_TOTAL: u64 = 64 << 30;

/// Bytes of memory that this process may have: the machine's, or less where a limit is set on the
/// process or on its control group.
pub fn total() -> u64 {
    // No lock, which a child that is forked meanwhile would find taken for ever.
    static TOTAL: AtomicU64 = AtomicU64::new(0);
    match TOTAL.load(Relaxed) {
        0 => {
            let total = limits().into_iter().min().unwrap_or(ASSUMED_TOTAL).max(1);
            TOTAL.store(total, Relaxed);
            total
        }
        total => total,
    }
}

#[cfg(target_os = "linux")]
fn limits() -> Vec<u64> {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let number = |text: &str| text.split_whitespace().next()?.parse::<u64>().ok();
    let line = |text: &str, name: &str| {
        text.lines()
            .find_map(|line| number(line.strip_prefix(name)?))
    };
    let machine = line(&read("/proc/meminfo"), "MemTotal:").map(|kib| kib << 10);
    let process = line(&read("/proc/self/limits"), "Max address space");
    let groups = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let group = groups.iter().find_map(|path| number(&read(path)));
    [machine, process, group].into_iter().flatten().collect()
}

#[cfg(not(target_os = "linux"))]
fn limits() -> Vec<u64> {
    Vec::new()
}

/// An empty vector with room for `capacity` items, in huge pages if that is much: fewer faults while
/// it is filled, and fewer misses when it is read here and there. Throws where there is no room.
pub fn with_capacity<T>(capacity: usize) -> Vec<T> {
    vector(capacity).unwrap_or_else(|bytes| throw_out_of_memory(bytes))
}

/// The same; no room is an error that says what it was for.
pub fn try_with_capacity<T>(what: impl Into<Cow<'static, str>>, capacity: usize) -> Result<Vec<T>> {
    vector(capacity).map_err(|bytes| Error::Memory {
        what: what.into(),
        bytes,
    })
}

/// The same; no room is the number of bytes that there is none for.
fn vector<T>(capacity: usize) -> Result<Vec<T>, usize> {
    let bytes = capacity.saturating_mul(size_of::<T>());
    let mut room = Vec::new();
    if exceeds_total(bytes) || room.try_reserve_exact(capacity).is_err() {
        return Err(bytes);
    }
    advise_huge_pages(room.spare_capacity_mut());
    Ok(room)
}

/// Tells whether there is not as much. A system that promises more than it has would break the
/// promise by ending the process.
fn exceeds_total(bytes: usize) -> bool {
    bytes as u64 > total()
}

/// Ends the work for want of memory.
#[cold]
fn throw_out_of_memory(bytes: usize) -> ! {
    let what = "what is read or made".into();
    throw(Error::Memory { what, bytes })
}

/// A type of which all bits 0 are a value, 0.
///
/// # Safety
/// They have to be.
pub unsafe trait Zero: Copy {}

// SAFETY: integers are such types.
unsafe impl Zero for u8 {}
unsafe impl Zero for i64 {}

/// `count` zeros, which the system makes where they are first touched; no room is an error that
/// says what it was for.
pub fn zeros<T: Zero>(what: impl Into<Cow<'static, str>>, count: usize) -> Result<Vec<T>> {
    let layout = Layout::array::<T>(count).ok();
    let layout = layout.filter(|layout| !exceeds_total(layout.size()));
    if count == 0 {
        return Ok(Vec::new());
    }
    // SAFETY: the size is not 0.
    let start = layout.map_or(ptr::null_mut(), |layout| unsafe { alloc_zeroed(layout) });
    if start.is_null() {
        let (what, bytes) = (what.into(), count.saturating_mul(size_of::<T>()));
        return Err(Error::Memory { what, bytes });
    }
    // SAFETY: the allocator gave room for as many, and their bits are 0, which is a value of each.
    let mut items = unsafe { Vec::from_raw_parts(start.cast::<T>(), count, count) };
    advise_huge_pages(&mut items);
    Ok(items)
}

/// Throws unless `bytes` more could be had now. Ahead of many small pieces, of which none can be
/// refused one by one.
pub fn ensure_available(bytes: usize) {
    if exceeds_total(bytes) || Vec::<u8>::new().try_reserve_exact(bytes).is_err() {
        throw_out_of_memory(bytes);
    }
}

/// Bytes that could be had now in one piece, or more than half of them; none below 1 MiB.
pub fn available() -> usize {
    let could_be =
        |&bytes: &usize| !exceeds_total(bytes) && Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
    (20..usize::BITS - 1)
        .map(|bits| 1 << bits)
        .take_while(could_be)
        .last()
        .unwrap_or(0)
}

/// How many small pieces of one kind may be held. None of them can be refused by itself, so they are
/// counted against the room that there was when they became many.
#[derive(Debug)]
pub struct Allowance {
    /// Bytes that one takes, at most.
    bytes: usize,
    taken: AtomicUsize,
    most: OnceLock<usize>,
}

impl Allowance {
    /// So few need no counting.
    const FEW: usize = 1 << 12;

    pub const fn new(bytes: usize) -> Self {
        Self {
            bytes,
            taken: AtomicUsize::new(0),
            most: OnceLock::new(),
        }
    }

    /// Counts one more; throws where there is no room for as many.
    pub fn take(&self) {
        self.take_all(1);
    }

    /// Counts so many more.
    pub fn take_all(&self, count: usize) {
        let taken = self.taken.fetch_add(count, Relaxed).saturating_add(count);
        if taken > Self::FEW && taken > *self.most.get_or_init(|| available() / self.bytes) {
            throw_out_of_memory(taken.saturating_mul(self.bytes));
        }
    }
}

/// Adds an item; throws where there is no room for as many.
#[inline]
pub fn push<T>(items: &mut Vec<T>, item: T) {
    if items.len() == items.capacity() {
        grow(items);
    }
    items.push(item);
}

/// Makes room for `more` items; throws where there is none.
pub fn reserve<T>(items: &mut Vec<T>, more: usize) {
    let bytes = more.saturating_mul(size_of::<T>());
    if exceeds_total(bytes) || items.try_reserve(more).is_err() {
        throw_out_of_memory(bytes);
    }
}

#[cold]
fn grow<T>(items: &mut Vec<T>) {
    reserve(items, items.len().max(16));
}

/// Asks for 2 MiB pages, of which a large block needs 500 times fewer; a refusal costs only time.
#[cfg(target_os = "linux")]
pub fn advise_huge_pages<T>(block: &mut [T]) {
    const PAGE: usize = 4096;
    let start = block.as_mut_ptr().cast::<u8>();
    let skip = start.align_offset(PAGE);
    if let Some(length) = size_of_val(block).checked_sub(skip)
        && length >= MIN_HUGE
    {
        // SAFETY: the range lies inside `block`, and the advice changes nothing that it holds.
        unsafe {
            libc::madvise(start.add(skip).cast(), length, libc::MADV_HUGEPAGE);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub fn advise_huge_pages<T>(_: &mut [T]) {}

/// Bytes that come from memory at a time.
#[cfg(target_arch = "x86_64")]
const CACHE_LINE: usize = 64;

/// Has the processor fetch `block`, which is needed soon, while it does something else.
#[cfg(target_arch = "x86_64")]
pub fn prefetch<T>(block: &[T]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    let start = block.as_ptr().cast::<i8>();
    for offset in (0..size_of_val(block)).step_by(CACHE_LINE) {
        // SAFETY: the address lies inside `block`; a prefetch reads nothing that can be seen.
        unsafe { _mm_prefetch(start.add(offset), _MM_HINT_T0) };
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub fn prefetch<T>(_: &[T]) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::catch;

    #[test]
    fn impossible_allocations_are_refused() {
        for items in [usize::MAX, usize::MAX / 16, 1 << 50] {
            let error = try_with_capacity::<u128>("a test", items).expect_err("too much");
            assert!(
                error.to_string().starts_with("no memory for a test, "),
                "{error}"
            );
            let thrown = catch(|| Ok(with_capacity::<u64>(items)));
            assert!(matches!(thrown, Err(Error::Memory { .. })));
        }
        // A page more than there is may be promised all the same, and is not to be believed.
        for bytes in [usize::MAX / 4, total() as usize + 4096] {
            let looked = catch(|| {
                ensure_available(bytes);
                Ok(())
            });
            assert!(matches!(looked, Err(Error::Memory { .. })));
        }
    }

    #[test]
    fn possible_allocations_succeed() {
        assert!(total() > 1 << 20);
        assert_eq!(zeros::<i64>("a test", 3).expect("three numbers"), [0, 0, 0]);
        assert!(zeros::<u8>("a test", 0).expect("nothing").is_empty());
        assert!(zeros::<i64>("a test", usize::MAX / 4).is_err());
        let mut items = Vec::new();
        (0..1000).for_each(|item| push(&mut items, item));
        assert!(items.into_iter().eq(0..1000));
        ensure_available(1 << 20);
        assert!((1 << 20..=total()).contains(&(available() as u64)));
    }

    #[test]
    fn small_allocations_are_counted_once_they_are_many() {
        let huge = Allowance::new(usize::MAX);
        let all = catch(|| {
            (0..2 * Allowance::FEW).for_each(|_| huge.take());
            Ok(())
        });
        assert!(matches!(all, Err(Error::Memory { .. })));
        assert_eq!(huge.taken.load(Relaxed), Allowance::FEW + 1);
        let small = Allowance::new(1);
        (0..2 * Allowance::FEW).for_each(|_| small.take());
        let at_once = catch(|| {
            small.take_all(usize::MAX / 2);
            Ok(())
        });
        assert!(matches!(at_once, Err(Error::Memory { .. })));
    }
}

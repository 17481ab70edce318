//! Allocates large blocks of memory, or reports that there is not enough.

use std::alloc::{Layout, alloc_zeroed};
use std::borrow::Cow;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::cancel::throw;
use crate::error::{Error, Result};

/// Smaller blocks do not gain from pages of 2 MiB.
const MIN_HUGE: usize = 4 << 20;

/// The assumed size of the memory where the system does not report it.
const ASSUMED_TOTAL: u64 = 64 << 30;

/// Returns how many bytes of memory this process may have: those of the machine, or fewer if the
/// process or its control group has a limit.
pub fn total() -> u64 {
    // An atomic and not a lock: a lock held during a fork would stay locked in the child for ever.
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

/// Returns the limits that the system reports, in bytes.
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

/// Returns an empty vector with room for `capacity` items. Large vectors use huge pages, which
/// cause fewer page faults and cache misses. Throws if there is not enough memory.
pub fn with_capacity<T>(capacity: usize) -> Vec<T> {
    vector(capacity).unwrap_or_else(|bytes| throw_out_of_memory(bytes))
}

/// Like [`with_capacity`], but returns an error that says what the memory was for.
pub fn try_with_capacity<T>(what: impl Into<Cow<'static, str>>, capacity: usize) -> Result<Vec<T>> {
    vector(capacity).map_err(|bytes| Error::Memory {
        what: what.into(),
        bytes,
    })
}

/// Like [`with_capacity`], but returns as the error the number of bytes that were asked for.
fn vector<T>(capacity: usize) -> Result<Vec<T>, usize> {
    let bytes = capacity.saturating_mul(size_of::<T>());
    let mut room = Vec::new();
    if exceeds_total(bytes) || room.try_reserve_exact(capacity).is_err() {
        return Err(bytes);
    }
    advise_huge_pages(room.spare_capacity_mut());
    Ok(room)
}

/// Tells whether the machine has less memory than `bytes`. A system that overcommits would grant
/// such a request and later kill the process.
fn exceeds_total(bytes: usize) -> bool {
    bytes as u64 > total()
}

/// Ends the work because an allocation failed.
#[cold]
fn throw_out_of_memory(bytes: usize) -> ! {
    let what = "what is read or made".into();
    throw(Error::Memory { what, bytes })
}

/// A type for which all bits 0 are a valid value, namely 0.
///
/// # Safety
/// All bits 0 must be a valid value of the type.
pub unsafe trait Zero: Copy {}

// SAFETY: all bits 0 are the integer 0.
unsafe impl Zero for u8 {}
unsafe impl Zero for i64 {}
// SAFETY: all bits 0 are the float 0.
unsafe impl Zero for f32 {}

/// Returns `count` zeros. The system makes a page of them when it is first touched. If there is not
/// enough memory, returns an error that says what the memory was for.
pub fn zeros<T: Zero>(what: impl Into<Cow<'static, str>>, count: usize) -> Result<Vec<T>> {
    let mut items = zeros_in_small_pages(what, count)?;
    advise_huge_pages(&mut items);
    Ok(items)
}

/// Like [`zeros`], for a large block that is filled once from its start to its end. Of a small page
/// the zeros are still in the cache when it is filled. Large pages are not, and a virtual machine may
/// have given them back, so that its host must find them first.
pub fn zeros_in_small_pages<T: Zero>(
    what: impl Into<Cow<'static, str>>,
    count: usize,
) -> Result<Vec<T>> {
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
    // SAFETY: the allocator returned room for `count` items, and their bits are all 0, a valid
    // value.
    Ok(unsafe { Vec::from_raw_parts(start.cast::<T>(), count, count) })
}

/// Throws unless `bytes` more can be allocated now. Called before many small allocations, which
/// cannot fail one by one.
pub fn ensure_available(bytes: usize) {
    if exceeds_total(bytes) || Vec::<u8>::new().try_reserve_exact(bytes).is_err() {
        throw_out_of_memory(bytes);
    }
}

/// Returns the largest power of two of bytes that can be allocated now in one block. Returns 0
/// below 1 MiB.
pub fn available() -> usize {
    let could_be =
        |&bytes: &usize| !exceeds_total(bytes) && Vec::<u8>::new().try_reserve_exact(bytes).is_ok();
    (20..usize::BITS - 1)
        .map(|bits| 1 << bits)
        .take_while(could_be)
        .last()
        .unwrap_or(0)
}

/// Limits the number of small allocations of one kind. Such allocations cannot fail one by one, so
/// they are counted against the memory that was available when they became many.
#[derive(Debug)]
pub struct Allowance {
    /// The bytes that one of them takes at most.
    bytes: usize,
    taken: AtomicUsize,
    most: OnceLock<usize>,
}

impl Allowance {
    /// Up to this number they are not checked.
    const FEW: usize = 1 << 12;

    pub const fn new(bytes: usize) -> Self {
        Self {
            bytes,
            taken: AtomicUsize::new(0),
            most: OnceLock::new(),
        }
    }

    /// Counts one more allocation. Throws if there is not enough memory for all.
    pub fn take(&self) {
        self.take_all(1);
    }

    /// Counts `count` more allocations. Throws if there is not enough memory for all.
    pub fn take_all(&self, count: usize) {
        let taken = self.taken.fetch_add(count, Relaxed).saturating_add(count);
        if taken > Self::FEW && taken > *self.most.get_or_init(|| available() / self.bytes) {
            throw_out_of_memory(taken.saturating_mul(self.bytes));
        }
    }
}

/// Appends an item. Throws if the vector cannot grow.
#[inline]
pub fn push<T>(items: &mut Vec<T>, item: T) {
    if items.len() == items.capacity() {
        grow(items);
    }
    items.push(item);
}

/// Reserves room for `more` items. Throws if there is not enough memory.
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

/// Asks the system for pages of 2 MiB, of which a large block needs 500 times fewer. A refusal
/// costs only time.
#[cfg(target_os = "linux")]
pub fn advise_huge_pages<T>(block: &mut [T]) {
    const PAGE: usize = 4096;
    let start = block.as_mut_ptr().cast::<u8>();
    let skip = start.align_offset(PAGE);
    if let Some(length) = size_of_val(block).checked_sub(skip)
        && length >= MIN_HUGE
    {
        // SAFETY: the range lies inside `block`, and the advice changes no content.
        unsafe {
            libc::madvise(start.add(skip).cast(), length, libc::MADV_HUGEPAGE);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub fn advise_huge_pages<T>(_: &mut [T]) {}

/// The bytes of a cache line.
#[cfg(target_arch = "x86_64")]
const CACHE_LINE: usize = 64;

/// Prefetches `block`, which is needed soon, while the processor does something else.
#[cfg(target_arch = "x86_64")]
pub fn prefetch<T>(block: &[T]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    let start = block.as_ptr().cast::<i8>();
    for offset in (0..size_of_val(block)).step_by(CACHE_LINE) {
        // SAFETY: the address lies inside `block`, and a prefetch has no visible effect.
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
        // The system may promise a page more than there is, but must not be believed.
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
        let block = zeros_in_small_pages::<u8>("a test", 3);
        assert_eq!(block.expect("three bytes"), [0, 0, 0]);
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

//! Deduplicates items by hash: finds the first of all equal items, in parallel.

use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rayon::prelude::*;
use rustc_hash::FxHasher;

use crate::cancel::{Ticks, check};
use crate::memory::with_capacity;

/// The bits of a slot that hold an item's number plus one. The bits above hold the upper bits of
/// the item's hash. A slot of 0 is free.
const NUMBER_BITS: u32 = 40;
const NUMBER: u64 = (1 << NUMBER_BITS) - 1;

/// The number of items that one task inserts.
const JOB: usize = 1 << 14;
/// The number of items whose slots are read together.
const BATCH: usize = 16;

/// An open-addressing hash table that holds the first of all equal items.
///
/// All threads insert at once. The first thread takes a slot, and the smallest item number stays in
/// it, so the result does not depend on the order of the threads.
#[derive(Debug)]
pub struct FirstOccurrences {
    slots: Vec<AtomicU64>,
}

impl FirstOccurrences {
    /// Inserts the items `0..hashes.len()`. `same` compares two items whose hashes agree. Also
    /// returns the items that equal an earlier one, in ascending order.
    pub fn build(hashes: &[u64], same: impl Fn(usize, usize) -> bool + Sync) -> (Self, Vec<usize>) {
        // The table is at most half full, so that a look-up ends after one or two slots.
        let size = (hashes.len() * 2).next_power_of_two();
        let mut slots = with_capacity(size);
        (0..size)
            .into_par_iter()
            .map(|_| AtomicU64::new(0))
            .collect_into_vec(&mut slots);
        let table = Self { slots };
        let mut repeats: Vec<usize> = hashes
            .par_chunks(JOB)
            .enumerate()
            .flat_map_iter(|(job, hashes)| table.insert_all(job * JOB, hashes, &same))
            .collect();
        repeats.par_sort_unstable();
        (table, repeats)
    }

    /// Returns for each item the first item that equals it, which may be the item itself.
    pub fn of_each(hashes: &[u64], same: impl Fn(usize, usize) -> bool + Sync) -> Vec<usize> {
        let (table, repeats) = Self::build(hashes, &same);
        let of_repeats = table.firsts(&repeats, hashes, &same);
        let mut firsts = with_capacity(hashes.len());
        firsts.extend(0..hashes.len());
        for (repeat, first) in repeats.into_iter().zip(of_repeats) {
            firsts[repeat] = first;
        }
        firsts
    }

    /// Returns for each of the items that equal an earlier one the first that it equals.
    pub fn firsts(
        &self,
        repeats: &[usize],
        hashes: &[u64],
        same: impl Fn(usize, usize) -> bool + Sync,
    ) -> Vec<usize> {
        let mut firsts = with_capacity(repeats.len());
        repeats
            .par_iter()
            .map(|&repeat| {
                check();
                let first = self.find(hashes[repeat], |other| same(repeat, other));
                first.unwrap_or(repeat)
            })
            .collect_into_vec(&mut firsts);
        firsts
    }

    /// Returns the first item that has this hash and for which `is_it` is true.
    pub fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let mut slot = self.home(hash);
        let mut ticks = Ticks::default();
        loop {
            ticks.tick();
            let entry = self.slots[slot].load(Relaxed);
            if entry == 0 {
                return None;
            }
            if entry >> NUMBER_BITS == hash >> NUMBER_BITS && is_it(number(entry)) {
                return Some(number(entry));
            }
            slot = self.after(slot);
        }
    }

    /// Inserts the items from `first` on. Returns those that equal an item with a smaller number.
    fn insert_all(
        &self,
        first: usize,
        hashes: &[u64],
        same: impl Fn(usize, usize) -> bool,
    ) -> Vec<usize> {
        let mut repeats = Vec::new();
        for (batch, hashes) in hashes.chunks(BATCH).enumerate() {
            check();
            // Every read of a slot waits for memory. These reads wait together; swaps would wait
            // one by one.
            let mut seen = [0; BATCH];
            for (seen, &hash) in seen.iter_mut().zip(hashes) {
                *seen = self.slots[self.home(hash)].load(Relaxed);
            }
            for (i, (&hash, seen)) in hashes.iter().zip(seen).enumerate() {
                let item = first + batch * BATCH + i;
                repeats.extend(self.insert(item, hash, seen, |other| same(item, other)));
            }
        }
        repeats
    }

    /// Inserts an item. If an equal item is already there, keeps the smaller number and returns the
    /// larger.
    ///
    /// `taken` is the content of the item's home slot as it was read a moment ago.
    fn insert(
        &self,
        item: usize,
        hash: u64,
        mut taken: u64,
        is_same: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        let entry = (hash & !NUMBER) | (item as u64 + 1);
        let mut slot = self.home(hash);
        let mut ticks = Ticks::default();
        loop {
            ticks.tick();
            let place = &self.slots[slot];
            if taken == 0 {
                match place.compare_exchange(0, entry, Relaxed, Relaxed) {
                    Ok(_) => return None,
                    Err(now) => taken = now,
                }
            }
            if taken >> NUMBER_BITS == hash >> NUMBER_BITS && is_same(number(taken)) {
                // Every repeat is returned exactly once, because the smallest number stays in the
                // slot.
                return Some(number(place.fetch_min(entry, Relaxed).max(entry)));
            }
            slot = self.after(slot);
            taken = self.slots[slot].load(Relaxed);
        }
    }

    /// Returns the slot at which the search for a hash starts.
    fn home(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    /// Returns the slot after a slot.
    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.slots.len() - 1)
    }
}

/// Returns the item's number that a slot's content holds.
fn number(entry: u64) -> usize {
    (entry & NUMBER) as usize - 1
}

/// Hashes bytes, so that both the lower and the upper bits are well distributed.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(bytes);
    let hash = hasher.finish();
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firsts_and_repeats() {
        let words = ["a", "b", "a", "c", "b", "a"];
        let hashes = words.map(|word| hash(word.as_bytes()));
        let (table, repeats) = FirstOccurrences::build(&hashes, |i, j| words[i] == words[j]);
        assert_eq!(repeats, [2, 4, 5]);
        let firsts = FirstOccurrences::of_each(&hashes, |i, j| words[i] == words[j]);
        assert_eq!(firsts, [0, 1, 0, 3, 1, 0]);
        let find = |word: &str| table.find(hash(word.as_bytes()), |i| words[i] == word);
        assert_eq!(
            [find("a"), find("b"), find("c"), find("d")],
            [Some(0), Some(1), Some(3), None]
        );
    }

    #[test]
    fn items_with_equal_hashes_are_compared() {
        let items: Vec<usize> = (0..10_000).map(|i| i % 100).collect();
        let hashes = vec![7; items.len()];
        let (table, repeats) = FirstOccurrences::build(&hashes, |i, j| items[i] == items[j]);
        assert_eq!(repeats, (100..10_000).collect::<Vec<_>>());
        assert_eq!(table.find(7, |i| items[i] == 42), Some(42));
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        let (table, repeats) = FirstOccurrences::build(&[], |_, _| false);
        assert!(repeats.is_empty());
        assert_eq!(table.find(1, |_| true), None);
    }
}

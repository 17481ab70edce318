//! Different texts, each kept once, and their numbers by first occurrence; the same of keys.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rayon::prelude::*;

use crate::cancel::{Ticks, check};
use crate::corpus::{Span, TextColumn};
use crate::dedup::{FirstOccurrences, hash};
use crate::memory::{prefetch, push, reserve, try_with_capacity, with_capacity};
use crate::white_space::is_blank_utf8;

/// The code of a cell that is null.
pub const NULL: i64 = -1;
/// The code of a cell that is no UTF-8.
pub const NO_TEXT: i64 = -2;

/// The bits of a slot that hold a text's number plus one. The bits above hold the upper bits of its
/// hash. A slot of 0 is free.
const NUMBER_BITS: u32 = 40;
const NUMBER: u64 = (1 << NUMBER_BITS) - 1;

/// The number of cells whose slots are fetched together, because each waits for memory.
const BATCH: usize = 16;
/// The smallest number of texts that one task hashes.
const TEXTS_PER_JOB: usize = 256;

/// The cells of a column of texts, which are not known to be UTF-8.
pub trait Texts: Sync {
    /// Returns the number of cells.
    fn cells(&self) -> usize;
    /// Returns the text of a cell if it has one.
    fn text(&self, cell: usize) -> Option<&[u8]>;
}

/// Different texts in the order in which they were first added.
///
/// The number of a text depends on the order of the cells alone, on any number of threads.
#[derive(Debug, Default)]
pub struct DistinctTexts {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    hashes: Vec<u64>,
    /// An open-addressing hash table of the texts' numbers, at most half full.
    slots: Vec<u64>,
    /// The numbers of the texts that are empty or only white space.
    blank: Vec<i64>,
}

impl DistinctTexts {
    /// Makes room for so many bytes of texts, if there is. Texts that need more are copied when
    /// they outgrow it.
    pub fn with_room(bytes: usize) -> Self {
        Self {
            bytes: try_with_capacity("texts", bytes).unwrap_or_default(),
            ..Self::default()
        }
    }

    pub fn len(&self) -> usize {
        self.spans.len()
    }

    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Returns the numbers of the texts that are empty or only white space, which rise.
    pub fn blank(&self) -> &[i64] {
        &self.blank
    }

    /// Adds the texts of cells. Returns the number of each cell's text, [`NULL`] or [`NO_TEXT`].
    ///
    /// Work that is stopped leaves no texts at all.
    pub fn add(&mut self, cells: &impl Texts) -> Vec<i64> {
        let (hashes, all_valid) = hashes(cells);
        // An error on the way leaves nothing behind that is half done.
        let mut known = std::mem::take(self);
        known.make_room(hashes.len());
        let mut codes = with_capacity(hashes.len());
        for (batch, hashes) in hashes.chunks(BATCH).enumerate() {
            check();
            for &hash in hashes {
                let home = known.home(hash);
                prefetch(&known.slots[home..=home]);
            }
            for (cell, &hash) in (batch * BATCH..).zip(hashes) {
                codes.push(match cells.text(cell) {
                    None => NULL,
                    Some(text) if !all_valid && !is_utf8(text) => NO_TEXT,
                    Some(text) => known.number_of(text, hash),
                });
            }
        }
        *self = known;
        codes
    }

    /// Takes the texts out, without a copy. What is added afterwards is numbered from 0 again.
    pub fn take(&mut self) -> TextColumn {
        let Self {
            mut bytes,
            mut spans,
            ..
        } = std::mem::take(self);
        bytes.shrink_to_fit();
        spans.shrink_to_fit();
        TextColumn::of_bytes(bytes, spans)
    }

    /// Returns the number of a text, which must be UTF-8, and keeps the text if it is new.
    fn number_of(&mut self, text: &[u8], hash: u64) -> i64 {
        let mut slot = self.home(hash);
        loop {
            let entry = self.slots[slot];
            if entry == 0 {
                break;
            }
            let number = (entry & NUMBER) as usize - 1;
            if entry >> NUMBER_BITS == hash >> NUMBER_BITS
                && self.bytes[self.spans[number].range()] == *text
            {
                return number as i64;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        let (number, start) = (self.spans.len(), self.bytes.len());
        if self.bytes.capacity() - start < text.len() {
            // Without advice on its pages: the system moves a block only if it is all of one kind.
            reserve(&mut self.bytes, text.len());
        }
        self.bytes.extend_from_slice(text);
        push(&mut self.spans, Span::plain(start..self.bytes.len()));
        push(&mut self.hashes, hash);
        if is_blank_utf8(text) {
            push(&mut self.blank, number as i64);
        }
        self.slots[slot] = entry(hash, number);
        number as i64
    }

    /// Makes the hash table large enough for so many more texts.
    fn make_room(&mut self, more: usize) {
        let size = ((self.len() + more) * 2).next_power_of_two();
        if size <= self.slots.len() {
            return;
        }
        let mut slots = with_capacity(size);
        slots.resize(size, 0);
        self.slots = slots;
        for (number, &hash) in self.hashes.iter().enumerate() {
            let mut slot = self.home(hash);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = entry(hash, number);
        }
    }

    /// Returns the slot at which the search for a hash starts.
    fn home(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }
}

/// Returns the content of the slot of a text.
fn entry(hash: u64, number: usize) -> u64 {
    (hash & !NUMBER) | (number as u64 + 1)
}

/// Returns the hash of each cell, and whether all are UTF-8.
fn hashes(cells: &impl Texts) -> (Vec<u64>, bool) {
    let mut hashes = with_capacity(cells.cells());
    let all_valid = AtomicBool::new(true);
    (0..cells.cells())
        .into_par_iter()
        .with_min_len(TEXTS_PER_JOB)
        .map(|cell| {
            check();
            let text = cells.text(cell).unwrap_or_default();
            if !is_utf8(text) {
                all_valid.store(false, Relaxed);
            }
            hash(text)
        })
        .collect_into_vec(&mut hashes);
    (hashes, all_valid.into_inner())
}

fn is_utf8(text: &[u8]) -> bool {
    simdutf8::basic::from_utf8(text).is_ok()
}

/// Numbers different keys in the order of their first places. Returns the first place of each
/// number, and the number of each key; nothing for the latter if each key is seen to have its place.
pub fn numbered(keys: &[i64]) -> (Vec<i64>, Option<Vec<i64>>) {
    let mut firsts = with_capacity(keys.len());
    // Keys that rise differ.
    if keys.is_sorted_by(|a, b| a < b) {
        firsts.extend(0..keys.len() as i64);
        return (firsts, None);
    }
    let mut numbers = with_capacity(keys.len());
    let mut hashes = with_capacity(keys.len());
    keys.par_iter()
        .inspect(|_| check())
        .map(|key| hash(&key.to_le_bytes()))
        .collect_into_vec(&mut hashes);
    let mut ticks = Ticks::default();
    for (place, first) in FirstOccurrences::of_each(&hashes, |i, j| keys[i] == keys[j])
        .into_iter()
        .enumerate()
    {
        ticks.tick();
        if first == place {
            numbers.push(firsts.len() as i64);
            firsts.push(place as i64);
        } else {
            numbers.push(numbers[first]);
        }
    }
    (firsts, Some(numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Texts for &[Option<&str>] {
        fn cells(&self) -> usize {
            self.len()
        }

        fn text(&self, cell: usize) -> Option<&[u8]> {
            self[cell].map(str::as_bytes)
        }
    }

    #[test]
    fn a_text_keeps_the_number_that_it_got_first() {
        let mut texts = DistinctTexts::with_room(2);
        let first = [Some("b"), None, Some(""), Some("b")];
        let second = [Some("\u{3000}"), Some("b"), Some("a")];
        assert_eq!(texts.add(&&first[..]), [0, NULL, 1, 0]);
        assert_eq!(texts.add(&&second[..]), [2, 0, 3]);
        assert_eq!(texts.blank(), [1, 2]);
        let taken = texts.take();
        assert_eq!(taken.iter().collect::<Vec<_>>(), ["b", "", "\u{3000}", "a"]);
        assert!(texts.is_empty());
        assert_eq!(texts.add(&&second[..]), [0, 1, 2]);
        let mut texts = DistinctTexts::with_room(usize::MAX / 2);
        assert_eq!(texts.add(&&second[..]), [0, 1, 2]);
    }

    #[test]
    fn the_table_grows() {
        let words: Vec<String> = (0..5000).map(|i| (i % 3000).to_string()).collect();
        let cells: Vec<Option<&str>> = words.iter().map(|word| Some(&**word)).collect();
        let mut texts = DistinctTexts::default();
        let codes: Vec<i64> = cells.chunks(7).flat_map(|part| texts.add(&part)).collect();
        assert_eq!(codes, (0..5000).map(|i| i % 3000).collect::<Vec<i64>>());
        assert_eq!(texts.len(), 3000);
    }

    #[test]
    fn bytes_that_are_no_text_are_not_kept() {
        struct Bytes([&'static [u8]; 4]);
        impl Texts for Bytes {
            fn cells(&self) -> usize {
                self.0.len()
            }

            fn text(&self, cell: usize) -> Option<&[u8]> {
                Some(self.0[cell])
            }
        }
        let mut texts = DistinctTexts::default();
        let codes = texts.add(&Bytes([b"a", b"\xff", b"\xc3", b"b"]));
        assert_eq!(codes, [0, NO_TEXT, NO_TEXT, 1]);
        assert_eq!(texts.len(), 2);
    }

    #[test]
    fn keys_are_numbered_by_their_first_places() {
        for (keys, firsts, numbers) in [
            (vec![], vec![], None),
            (vec![-3, 0, 9], vec![0, 1, 2], None),
            (vec![9, 0], vec![0, 1], Some(vec![0, 1])),
            (
                vec![7, -1, 7, 5, -1],
                vec![0, 1, 3],
                Some(vec![0, 1, 0, 2, 1]),
            ),
        ] {
            assert_eq!(numbered(&keys), (firsts, numbers));
        }
    }
}

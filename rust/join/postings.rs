//! An inverted index: lists of annotations by key.

use rayon::prelude::*;

use super::TEXTS_PER_JOB;
use crate::cancel::check;
use crate::memory;

/// The number of postings that are sorted together: they fit the cache, so that sorting takes
/// linear time in the number of postings.
const SORTED_TOGETHER: usize = 4096;

/// A posting: the upper half of a key, and the number of an annotation in the lower bits. With
/// eight bytes each, the postings of a million annotations with ten keys use little of the caches.
///
/// Keys with the same upper half share a list. This costs only a few comparisons, because every
/// annotation in a list is compared with the text anyway.
pub type Posting = u64;

const NUMBER_BITS: u32 = 32;

/// Returns the number of a posting's annotation.
pub fn number(posting: Posting) -> usize {
    posting as u32 as usize
}

/// Makes the posting of an annotation under a key.
fn posting(key: u64, number: usize) -> Posting {
    key >> NUMBER_BITS << NUMBER_BITS | number as u64
}

/// Lists of annotations by key. All postings are in one sorted array. A directory of the keys' top
/// bits leads into it; it has about one slot for each posting.
pub struct Postings {
    entries: Vec<Posting>,
    directory: Vec<usize>,
    shift: u32,
}

impl Postings {
    /// The largest number of annotations whose numbers fit a posting.
    pub const MAX_ANNOTATIONS: usize = 1 << NUMBER_BITS;

    /// Indexes `count` annotations. `push_keys` appends the keys of the annotation with a given
    /// number.
    pub fn collect(count: usize, push_keys: impl Fn(usize, &mut Vec<u64>) + Sync) -> Self {
        assert!(
            count <= Self::MAX_ANNOTATIONS,
            "{count} annotations are too many"
        );
        let file = |(mut entries, mut keys): (Vec<Posting>, Vec<u64>), number: usize| {
            keys.clear();
            push_keys(number, &mut keys);
            entries.extend(keys.iter().map(|&key| posting(key, number)));
            (entries, keys)
        };
        let parts: Vec<Vec<Posting>> = (0..count)
            .into_par_iter()
            .with_min_len(TEXTS_PER_JOB)
            .fold(Default::default, file)
            .map(|(entries, _)| entries)
            .collect();
        let mut entries = by_top_bits(&parts);
        drop(parts);
        entries.dedup();
        Self::with_directory(entries)
    }

    /// Builds the directory of sorted postings.
    fn with_directory(entries: Vec<Posting>) -> Self {
        let bits = entries.len().max(2).ilog2().min(u64::BITS - NUMBER_BITS);
        let shift = u64::BITS - bits;
        let mut directory = vec![0; (1 << bits) + 1];
        memory::advise_huge_pages(&mut directory);
        for &entry in &entries {
            directory[(entry >> shift) as usize + 1] += 1;
        }
        for slot in 1..directory.len() {
            directory[slot] += directory[slot - 1];
        }
        Self {
            entries,
            directory,
            shift,
        }
    }

    /// Returns the postings under `key`, by rising number of their annotation.
    pub fn get(&self, key: u64) -> &[Posting] {
        let slot = (key >> self.shift) as usize;
        let found = &self.entries[self.directory[slot]..self.directory[slot + 1]];
        let key = key >> NUMBER_BITS;
        let start = found.partition_point(|&entry| entry >> NUMBER_BITS < key);
        let end = start + found[start..].partition_point(|&entry| entry >> NUMBER_BITS == key);
        &found[start..end]
    }
}

/// Sorts all postings: distributes them to buckets by the top bits of their keys, which are
/// uniform, and sorts each bucket.
fn by_top_bits(parts: &[Vec<Posting>]) -> Vec<Posting> {
    let count: usize = parts.iter().map(Vec::len).sum();
    let bits = (count / SORTED_TOGETHER).max(2).ilog2();
    let bucket = |entry: Posting| (entry >> (u64::BITS - bits)) as usize;
    let mut sizes = vec![0; 1 << bits];
    check();
    for &entry in parts.iter().flatten() {
        sizes[bucket(entry)] += 1;
    }
    let mut next: Vec<usize> = sizes
        .iter()
        .scan(0, |end, size| Some(std::mem::replace(end, *end + size)))
        .collect();
    let mut entries = vec![0; count];
    memory::advise_huge_pages(&mut entries);
    for &entry in parts.iter().flatten() {
        let place = &mut next[bucket(entry)];
        entries[*place] = entry;
        *place += 1;
    }
    let mut rest = entries.as_mut_slice();
    let mut buckets = Vec::with_capacity(sizes.len());
    for size in sizes {
        let (bucket, behind) = rest.split_at_mut(size);
        buckets.push(bucket);
        rest = behind;
    }
    buckets.into_par_iter().for_each(|bucket| {
        check();
        bucket.sort_unstable();
    });
    entries
}

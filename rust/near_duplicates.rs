//! Groups texts that are almost the same.
//!
//! A shingle is five characters in a row. It is *rare* if at most a hundredth of the texts have it,
//! or at most ten texts. Two texts are near-duplicates in two cases. First, their rare shingles
//! have at least the given Jaccard similarity, and if one text has fewer than twenty rare shingles,
//! so have all their shingles. Second, one text is a part of the other: four fifths of its rare
//! shingles are in the other text, there are at least twenty of them, and they are half of all its
//! shingles.
//!
//! Shingles in more than a hundredth of the texts come from how all of them are written, such as a
//! page's header or the wording of a form. Pages of one template with different content are
//! therefore not near-duplicates. If fewer than a hundredth of the texts use a template, they may
//! be; such a group is small enough to be kept together.
//!
//! Shingles are compared only if the [sketches](mod@sketch) agree. A sketch has 48 slots. Each slot
//! is equal in two texts with a probability of their Jaccard similarity. Texts are sorted by one
//! slot, or by two if there are many texts. Each text is compared with those of its neighbours that
//! have the same value and enough other equal slots. This takes linear time but may miss a pair. If
//! the similarity is a half, it misses no pair of few texts and 1 pair in 1,000 of many. If one
//! text is a third of the other, it misses no pair of few texts and 1 pair in 17 of many
//! (`docs/log.md`).
//!
//! Each step reads the texts again. Only a hash and a sketch for each text are kept, and a table of
//! limited size that counts shingles.

mod shingles;
mod sketch;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::cancel::check;
use crate::error::{Error, Result};
use crate::memory::with_capacity;
use crate::same_text::first_of;
use shingles::Shingler;
use sketch::{SLOTS, Sketch, agreeing, sketch, slots};

/// A shingle is rare if at most one text in so many has it.
const COMMON_SHARE: usize = 100;
/// A shingle is also rare if at most this many texts have it.
const FEW: u32 = 10;

/// The number of rare shingles that identify a text: about five words.
const EVIDENCE: usize = 20;

/// A text is a part of another one if that has at least this share of its rare shingles.
const PART_SHARE: f64 = 0.8;

/// Up to this number of texts, one equal slot makes two texts candidates; beyond it takes two
/// slots.
const ONE_SLOT: usize = 20_000;

/// The number of neighbours that a text is compared with in each order.
const NEIGHBOURS: usize = 16;

/// The share of the expected number of equal slots that candidates must have: for few texts, for
/// many.
const SLACK: [f64; 2] = [0.3, 0.6];

/// The number of items that are processed between two progress reports.
const BLOCK: usize = 1 << 14;

/// The largest number of counts in the table: 128 MiB.
const MAX_COUNTS: usize = 1 << 25;

/// The smallest threshold. Too many pairs of lower similarity have no equal slot.
const MIN_THRESHOLD: f64 = 0.5;

/// The largest number of pairs that are remembered as not being near-duplicates.
const MAX_REJECTED: usize = 1 << 22;

/// Returns the hashes of a text's distinct shingles, in ascending order.
pub fn shingles(text: &str) -> Vec<u64> {
    Shingler::default().shingles(text).to_vec()
}

/// Returns for each text the first text of its group; groups are connected by near-duplicates.
///
/// Texts that differ only in case, width and white space are near-duplicates. `threshold` is the
/// Jaccard similarity, from 0.5 to 1. `report` gets the work done and the total; an error of it
/// ends the work.
pub fn groups(
    texts: &[&str],
    threshold: f64,
    mut report: impl FnMut(usize, usize) -> Result<()>,
) -> Result<Vec<usize>> {
    if !(MIN_THRESHOLD..=1.0).contains(&threshold) {
        return Err(Error::Usage(format!(
            "threshold is {threshold}; expected from {MIN_THRESHOLD} to 1"
        )));
    }
    // The texts are read twice and then compared.
    let total = 3 * texts.len();
    report(0, total)?;
    let first = first_of(texts.len(), |text| Cow::Borrowed(texts[text]));
    let mut joined = DisjointSets {
        parent: first.into_iter().map(|first| first as usize).collect(),
    };
    let distinct: Vec<usize> = (0..texts.len())
        .filter(|&i| joined.parent[i] == i)
        .collect();
    let count = distinct.len();

    let counts = ShingleCounts::with_room_for(distinct.iter().map(|&i| texts[i].len()).sum());
    let limit = FEW.max(u32::try_from(count / COMMON_SHARE).unwrap_or(u32::MAX));
    in_blocks(count, |block| {
        distinct[block.clone()]
            .par_iter()
            .for_each_init(Shingler::default, |shingler, &text| {
                counts.add(shingler.shingles(texts[text]));
            });
        report(block.end, total)
    })?;

    let mut sketches = with_capacity(count);
    in_blocks(count, |block| {
        sketches.par_extend(
            distinct[block.clone()]
                .par_iter()
                .map_init(Shingler::default, |shingler, &text| {
                    Sketched::of(shingler.shingles(texts[text]), &counts, limit)
                }),
        );
        report(texts.len() + block.end, total)
    })?;

    let width = if count <= ONE_SLOT { 1 } else { 2 };
    let pair = PairComparer {
        texts: &|place| texts[distinct[place]],
        sketches: &sketches,
        counts: &counts,
        limit,
        threshold,
        slack: SLACK[width - 1],
    };
    let mut rejected = FxHashSet::default();
    for first in (0..SLOTS).step_by(width) {
        let order = sorted(&sketches, first, width);
        in_blocks(order.len(), |block| {
            let mut found: Vec<[usize; 2]> = block
                .into_par_iter()
                .flat_map_iter(|at| pair.neighbours(&order, at))
                .collect();
            found.retain(|&[left, right]| {
                !rejected.contains(&[left, right])
                    && !joined.connects(distinct[left], distinct[right])
            });
            let same: Vec<bool> = found
                .par_iter()
                .map_init(Default::default, |room, &places| pair.compare(places, room))
                .collect();
            for (places, same) in found.into_iter().zip(same) {
                if same {
                    joined.connect(distinct[places[0]], distinct[places[1]]);
                } else if rejected.len() < MAX_REJECTED {
                    rejected.insert(places);
                }
            }
            report(2 * texts.len() + texts.len() * first / SLOTS, total)
        })?;
    }
    report(total, total)?;
    Ok(joined.roots())
}

/// Counts how many texts have each shingle. If there are very many shingles, some share a count and
/// appear a little less rare than they are.
struct ShingleCounts(Vec<AtomicU32>);

impl ShingleCounts {
    /// Makes a table for this number of shingles, or for fewer if that is too large.
    fn with_room_for(shingles: usize) -> Self {
        let size = shingles.next_power_of_two().clamp(1 << 16, MAX_COUNTS);
        let mut counts = with_capacity(size);
        counts.par_extend((0..size).into_par_iter().map(|_| AtomicU32::new(0)));
        Self(counts)
    }

    /// Returns the count of a shingle.
    fn of(&self, shingle: u64) -> &AtomicU32 {
        &self.0[shingle as usize & (self.0.len() - 1)]
    }

    /// Counts the shingles of a text, each once.
    fn add(&self, shingles: &[u64]) {
        check();
        for &shingle in shingles {
            self.of(shingle).fetch_add(1, Relaxed);
        }
    }

    /// Yields the rare shingles: those that at most `limit` texts have.
    fn rare(&self, shingles: &[u64], limit: u32) -> impl Iterator<Item = u64> {
        let is_rare = move |shingle: &u64| self.of(*shingle).load(Relaxed) <= limit;
        shingles.iter().copied().filter(is_rare)
    }
}

/// The data kept of a text: its sketch and its numbers of shingles.
struct Sketched {
    /// None if the text has no rare shingles.
    sketch: Option<Sketch>,
    rare: u32,
    all: u32,
}

impl Sketched {
    /// Makes the sketch of a text's rare shingles.
    fn of(shingles: &[u64], counts: &ShingleCounts, limit: u32) -> Self {
        check();
        let (sketch, rare) = sketch(counts.rare(shingles, limit));
        Self {
            sketch,
            rare,
            all: shingles.len() as u32,
        }
    }

    /// Tells whether the text may be a part of another one.
    fn may_be_part(&self) -> bool {
        self.rare as usize >= EVIDENCE && 2 * self.rare >= self.all
    }
}

/// An entry of an order by slots: the values of these slots, of the slots after them, and the
/// text's number.
type Ordered = (u64, u64, u32);

/// Sorts the texts by `width` slots from `first` on.
fn sorted(sketches: &[Sketched], first: usize, width: usize) -> Vec<Ordered> {
    // Sorting by further slots places similar texts next to each other.
    let following = 4 - width;
    let mut order: Vec<Ordered> = sketches
        .par_iter()
        .enumerate()
        .filter_map(|(place, sketched)| {
            check();
            let sketch = sketched.sketch.as_ref()?;
            let next = slots(sketch, first + width, following);
            Some((slots(sketch, first, width), next, place as u32))
        })
        .collect();
    order.par_sort_unstable_by(|one, other| {
        check();
        one.cmp(other)
    });
    order
}

/// The data that pairs of texts are compared with.
struct PairComparer<'a> {
    texts: &'a (dyn Fn(usize) -> &'a str + Sync),
    sketches: &'a [Sketched],
    counts: &'a ShingleCounts,
    limit: u32,
    threshold: f64,
    slack: f64,
}

impl PairComparer<'_> {
    /// Yields the candidate pairs of the text at `at` and its next neighbours, the lower number
    /// first.
    fn neighbours(&self, order: &[Ordered], at: usize) -> impl Iterator<Item = [usize; 2]> {
        check();
        let (key, _, place) = order[at];
        order[at + 1..]
            .iter()
            .take(NEIGHBOURS)
            .take_while(move |other| other.0 == key)
            .map(move |other| [place.min(other.2) as usize, place.max(other.2) as usize])
            .filter(|&places| self.is_candidate(places))
    }

    /// Tells whether two texts have enough equal slots to be candidates.
    fn is_candidate(&self, places: [usize; 2]) -> bool {
        let [left, right] = places.map(|place| &self.sketches[place]);
        let (Some(one), Some(other)) = (&left.sketch, &right.sketch) else {
            return false;
        };
        let (small, large) = if left.rare <= right.rare {
            (left, right)
        } else {
            (right, left)
        };
        let mut least = self.threshold;
        if small.may_be_part() {
            let common = PART_SHARE * f64::from(small.rare);
            least = least.min(common / (f64::from(small.rare + large.rare) - common));
        }
        agreeing(one, other) >= ((SLOTS as f64 * least * self.slack) as usize).max(1)
    }

    /// Tells whether all shingles of two texts reach the threshold.
    fn overlap(&self, places: [usize; 2]) -> bool {
        let [left, right] = places.map(|place| shingles((self.texts)(place)));
        let common = intersection_size(&left, &right);
        common as f64 / (left.len() + right.len() - common) as f64 >= self.threshold
    }

    /// Tells whether two texts are near-duplicates.
    fn compare(&self, places: [usize; 2], room: &mut [(Shingler, Vec<u64>); 2]) -> bool {
        check();
        for (place, (shingler, rare)) in places.into_iter().zip(room.iter_mut()) {
            rare.clear();
            let shingles = shingler.unsorted((self.texts)(place));
            rare.extend(self.counts.rare(shingles, self.limit));
            // Of a page of a template few shingles are left to sort.
            rare.sort_unstable();
            rare.dedup();
        }
        let [left, right] = room.each_ref().map(|(_, rare)| rare.as_slice());
        let common = intersection_size(left, right);
        let either = left.len() + right.len() - common;
        if common as f64 / either as f64 >= self.threshold {
            return left.len().min(right.len()) >= EVIDENCE || self.overlap(places);
        }
        let piece = places[usize::from(left.len() > right.len())];
        let share = common as f64 / left.len().min(right.len()) as f64;
        self.sketches[piece].may_be_part() && share >= PART_SHARE.max(self.threshold)
    }
}

/// Returns how many numbers two ascending lists have in common.
fn intersection_size(left: &[u64], right: &[u64]) -> usize {
    let (mut i, mut j, mut common) = (0, 0, 0);
    while i < left.len() && j < right.len() {
        let (a, b) = (left[i], right[j]);
        common += usize::from(a == b);
        i += usize::from(a <= b);
        j += usize::from(b <= a);
    }
    common
}

/// Disjoint sets (union–find). The root of each set is its smallest item.
struct DisjointSets {
    parent: Vec<usize>,
}

impl DisjointSets {
    /// Returns the smallest item of a set, and shortens the path to it.
    fn root(&mut self, mut item: usize) -> usize {
        while self.parent[item] != item {
            let above = self.parent[self.parent[item]];
            self.parent[item] = above;
            item = above;
        }
        item
    }

    fn connects(&mut self, left: usize, right: usize) -> bool {
        self.root(left) == self.root(right)
    }

    /// Merges the sets of two items.
    fn connect(&mut self, left: usize, right: usize) {
        let roots = [self.root(left), self.root(right)];
        self.parent[roots[0].max(roots[1])] = roots[0].min(roots[1]);
    }

    /// Returns for each item the smallest item of its set.
    fn roots(mut self) -> Vec<usize> {
        (0..self.parent.len()).map(|item| self.root(item)).collect()
    }
}

/// Calls `work` with consecutive ranges that cover `0..count`.
fn in_blocks(
    count: usize,
    mut work: impl FnMut(std::ops::Range<usize>) -> Result<()>,
) -> Result<()> {
    (0..count)
        .step_by(BLOCK)
        .try_for_each(|start| work(start..count.min(start + BLOCK)))
}

#[cfg(test)]
mod tests;

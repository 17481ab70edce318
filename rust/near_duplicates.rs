//! Texts that are the same but for a little.
//!
//! The rule: a shingle (five characters in a row) is *rare* where at most a hundredth of the texts
//! have it, or ten of them. Two texts are near-duplicates when they have at least a given share of
//! the rare shingles that either has, and where one has fewer than twenty that share of all their
//! shingles too; or when four fifths of the rare shingles of one are in the other, if the one has
//! twenty of them and they are half of all that it has: a piece of it.
//!
//! What more than a hundredth of the texts have is how they are all written: a page's header, the
//! wording of a form. Pages of one template that differ in what they say are no near-duplicates,
//! and pages of a template with fewer copies than that may be: their group is too small to do harm
//! where groups are kept together.
//!
//! Texts are compared by their shingles only where their [`sketch`]es agree: a sketch has 48 slots,
//! each of which is equal in two texts with the probability of their overlap. Sorted by a slot, or
//! by two of them where there are many texts, a text is compared with those next to it that agree
//! there, if enough other slots do. That is linear in the texts, and it may miss a pair: with an
//! overlap of a half, none of few texts and 1 in 1,000 of many; a piece that is a third of
//! another text, none and 1 in 17 (`docs/log.md`).
//!
//! Texts are read anew by each step: what is kept is a hash and a sketch for each, and the counts
//! of shingles in a table of limited size.

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

/// A shingle is rare that one text in so many has, or that few texts have.
const COMMON_SHARE: usize = 100;
const FEW: u32 = 10;

/// Rare shingles that a text is known by: about five words.
const EVIDENCE: usize = 20;

/// The share of a text's rare shingles that another has of which it is a piece.
const PART_SHARE: f64 = 0.8;

/// Up to so many texts one slot that agrees makes a candidate; of more it takes two.
const ONE_SLOT: usize = 20_000;

/// Neighbours that a text is compared with in each order.
const NEIGHBOURS: usize = 16;

/// Of the slots that should agree in a near-duplicate the share that has to: of few texts, of many.
const SLACK: [f64; 2] = [0.3, 0.6];

/// Texts, places in an order, and candidates that are worked on between two reports.
const BLOCK: usize = 1 << 14;

/// ShingleCounts in the table: at most 128 MiB.
const MAX_COUNTS: usize = 1 << 25;

/// The least share that is looked for. Of pairs with a smaller one too many have no slot that agrees.
const MIN_THRESHOLD: f64 = 0.5;

/// Pairs remembered that were compared in vain.
const MAX_REJECTED: usize = 1 << 22;

/// The hashes of a text's distinct shingles, rising.
pub fn shingles(text: &str) -> Vec<u64> {
    Shingler::default().shingles(text).to_vec()
}

/// For each text the first that it is connected to by near-duplicates, itself where there is none.
///
/// Texts that differ in case, width and white space alone are near-duplicates. `report` is told how
/// much is done of how much; its error ends the work.
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
    // Two readings of the texts, and the comparison.
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

/// How many texts have each shingle. Shingles may share a count where there are very many: then
/// they pass for a little less rare than they are.
struct ShingleCounts(Vec<AtomicU32>);

impl ShingleCounts {
    fn with_room_for(shingles: usize) -> Self {
        let size = shingles.next_power_of_two().clamp(1 << 16, MAX_COUNTS);
        let mut counts = with_capacity(size);
        counts.par_extend((0..size).into_par_iter().map(|_| AtomicU32::new(0)));
        Self(counts)
    }

    fn of(&self, shingle: u64) -> &AtomicU32 {
        &self.0[shingle as usize & (self.0.len() - 1)]
    }

    fn add(&self, shingles: &[u64]) {
        check();
        for &shingle in shingles {
            self.of(shingle).fetch_add(1, Relaxed);
        }
    }

    fn rare(&self, shingles: &[u64], limit: u32) -> impl Iterator<Item = u64> {
        let is_rare = move |shingle: &u64| self.of(*shingle).load(Relaxed) <= limit;
        shingles.iter().copied().filter(is_rare)
    }
}

/// What is kept of a text.
struct Sketched {
    /// None without rare shingles.
    sketch: Option<Sketch>,
    rare: u32,
    all: u32,
}

impl Sketched {
    fn of(shingles: &[u64], counts: &ShingleCounts, limit: u32) -> Self {
        check();
        let (sketch, rare) = sketch(counts.rare(shingles, limit));
        Self {
            sketch,
            rare,
            all: shingles.len() as u32,
        }
    }

    /// Tells whether it may be a piece of another text.
    fn may_be_part(&self) -> bool {
        self.rare as usize >= EVIDENCE && 2 * self.rare >= self.all
    }
}

/// A text in the order of some slots: these slots, those that follow, its place.
type Ordered = (u64, u64, u32);

fn sorted(sketches: &[Sketched], first: usize, width: usize) -> Vec<Ordered> {
    // Texts that agree in more slots come to stand nearer to each other.
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

/// What two texts are compared by.
struct PairComparer<'a> {
    texts: &'a (dyn Fn(usize) -> &'a str + Sync),
    sketches: &'a [Sketched],
    counts: &'a ShingleCounts,
    limit: u32,
    threshold: f64,
    slack: f64,
}

impl PairComparer<'_> {
    /// The text at `at` with each of the next that agree with it, the lower place first.
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

    /// Tells whether enough slots of two texts agree.
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

    /// Tells whether two texts have enough of all their shingles in common.
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
            // Of a template's page little is left to sort.
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

/// How many numbers two rising lists have in common.
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

/// Trees of what is connected, the least number of each at its root.
struct DisjointSets {
    parent: Vec<usize>,
}

impl DisjointSets {
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

    fn connect(&mut self, left: usize, right: usize) {
        let roots = [self.root(left), self.root(right)];
        self.parent[roots[0].max(roots[1])] = roots[0].min(roots[1]);
    }

    fn roots(mut self) -> Vec<usize> {
        (0..self.parent.len()).map(|item| self.root(item)).collect()
    }
}

/// Calls `work` with one range after another, up to `count`.
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

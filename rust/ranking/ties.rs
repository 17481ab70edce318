//! Expectations over the orders of candidates with equal scores.

/// With more relevant candidates than this, a list is sorted instead of scanned for each of them.
const SCAN_LIMIT: usize = 8;

/// Candidates of one list that have the same score, some of them relevant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TieGroup {
    /// Candidates with a higher score.
    pub above: usize,
    /// Candidates with this score.
    pub size: usize,
    /// Relevant ones among them; 0 only in an empty slot.
    pub relevant: usize,
}

impl TieGroup {
    /// Of r relevant in a random order of n the first has the expected place (n + 1)/(r + 1).
    pub fn expected_rank(&self) -> f64 {
        self.above as f64 + (self.size + 1) as f64 / (self.relevant + 1) as f64
    }

    /// How many of the list's first `k` places fall to this group.
    fn places_within(&self, k: usize) -> usize {
        k.saturating_sub(self.above).min(self.size)
    }

    /// The probability that a relevant one of this group is among the first `k`: all but the draws
    /// of its places there without a relevant one, 1 − C(n − j, r)/C(n, r).
    pub fn success(&self, k: usize) -> f64 {
        let beyond = self.size - self.places_within(k);
        let all_beyond = |i: usize| beyond.saturating_sub(i) as f64 / (self.size - i) as f64;
        1.0 - (0..self.relevant).map(all_beyond).product::<f64>()
    }

    /// The expectation of one over the rank of this group's first relevant one.
    pub fn reciprocal_rank(&self) -> f64 {
        let irrelevant = self.size - self.relevant;
        let mut none_before = 1.0;
        let mut expected = 0.0;
        for before in 0..=irrelevant {
            let left = (self.size - before) as f64;
            let first_here = none_before * self.relevant as f64 / left;
            expected += first_here / (self.above + before + 1) as f64;
            none_before *= (irrelevant - before) as f64 / left;
        }
        expected
    }

    /// The share of relevant ones: the probability that any one place of the group holds one.
    fn density(&self) -> f64 {
        self.relevant as f64 / self.size as f64
    }

    fn discounted_gain(&self, k: usize) -> f64 {
        let places = self.above + 1..=self.above + self.places_within(k);
        self.density() * places.map(discount).sum::<f64>()
    }

    /// The sum, over this group's relevant ones, of the expected precision down to each, given how
    /// many relevant ones stand above the group.
    fn summed_precision(&self, relevant_above: usize) -> f64 {
        // Given that one place holds a relevant one, the share of the group's others.
        let others = (self.relevant - 1) as f64 / (self.size - 1).max(1) as f64;
        let precision = |before: usize| {
            let relevant = (relevant_above + 1) as f64 + before as f64 * others;
            relevant / (self.above + before + 1) as f64
        };
        self.density() * (0..self.size).map(precision).sum::<f64>()
    }
}

/// The weight of a place, from 1, in discounted cumulative gain.
fn discount(place: usize) -> f64 {
    1.0 / ((place + 1) as f64).log2()
}

/// Normalised discounted cumulative gain of the first `k`, from one slot per relevant candidate.
pub fn ndcg(slots: &[TieGroup], k: usize) -> f64 {
    let gain: f64 = filled(slots).map(|group| group.discounted_gain(k)).sum();
    let ideal: f64 = (1..=k.min(slots.len())).map(discount).sum();
    if ideal > 0.0 { gain / ideal } else { 0.0 }
}

/// Average precision, from one slot per relevant candidate.
pub fn average_precision(slots: &[TieGroup]) -> f64 {
    let mut relevant_above = 0;
    let mut sum = 0.0;
    for group in filled(slots) {
        sum += group.summed_precision(relevant_above);
        relevant_above += group.relevant;
    }
    sum / slots.len() as f64
}

fn filled(slots: &[TieGroup]) -> impl Iterator<Item = &TieGroup> {
    slots.iter().take_while(|group| group.relevant > 0)
}

/// Finds the tie groups of a list whose first `slots.len()` candidates are relevant, from the best
/// down; each takes one slot, and slots are left over where relevant candidates tie.
pub fn fill(scores: &[f32], slots: &mut [TieGroup]) {
    let relevant = &scores[..slots.len()];
    if relevant.len() > SCAN_LIMIT {
        let mut sorted = scores.to_vec();
        sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        for (slot, &score) in slots.iter_mut().zip(relevant) {
            let above = sorted.partition_point(|&other| other > score);
            let size = sorted[above..].partition_point(|&other| other == score);
            *slot = TieGroup {
                above,
                size,
                relevant: 1,
            };
        }
    } else {
        for (slot, &score) in slots.iter_mut().zip(relevant) {
            *slot = scan(scores, score);
        }
    }
    slots.sort_unstable_by_key(|slot| slot.above);
    merge_equal(slots);
}

/// The tie group of one relevant candidate.
fn scan(scores: &[f32], score: f32) -> TieGroup {
    let count = |chunk: &[f32], test: fn(f32, f32) -> bool| -> usize {
        chunk
            .iter()
            .map(|&other| u32::from(test(other, score)))
            .sum::<u32>() as usize
    };
    // In parts, so that counters as wide as a score suffice and the loops become vector code.
    let parts = || scores.chunks(1 << 16);
    TieGroup {
        above: parts()
            .map(|part| count(part, |other, score| other > score))
            .sum(),
        size: parts()
            .map(|part| count(part, |other, score| other == score))
            .sum(),
        relevant: 1,
    }
}

/// Joins slots of the same group, which stand side by side, and leaves the freed ones at the end.
fn merge_equal(slots: &mut [TieGroup]) {
    let mut filled = 0;
    for i in 1..slots.len() {
        if slots[i].above == slots[filled].above {
            slots[filled].relevant += 1;
        } else {
            filled += 1;
            slots[filled] = slots[i];
        }
    }
    if let Some(free) = slots.get_mut(filled + 1..) {
        free.fill(TieGroup::default());
    }
}

//! The k best rows of one query, and the score that a row must reach to be among them.

/// A row and its score in one number. A higher score makes it larger; of equal scores, the lower
/// row.
pub type Key = u64;

/// Makes the key of a row.
pub fn key(score: f32, row: u32) -> Key {
    Key::from(ordered_bits(score)) << 32 | Key::from(!row)
}

/// Returns the score of a key.
pub fn score_of(key: Key) -> f32 {
    let ordered = (key >> 32) as u32;
    let sign = 1 << 31;
    f32::from_bits(if ordered & sign == 0 {
        !ordered
    } else {
        ordered ^ sign
    })
}

/// Returns the row of a key.
pub fn row_of(key: Key) -> u32 {
    !(key as u32)
}

/// Maps a float to an integer with the same order.
fn ordered_bits(score: f32) -> u32 {
    // 0 and −0 are equal; adding 0 gives them the same bits.
    let bits = (score + 0.0).to_bits();
    let sign = 1 << 31;
    if bits & sign == 0 { bits ^ sign } else { !bits }
}

/// Collects the k largest of all keys offered.
///
/// It holds a few more than k keys before it drops the smallest. So an offer is cheap, and the
/// floor is only slightly lower than it could be.
pub struct Best {
    k: usize,
    kept: Vec<Key>,
    /// No key below this is among the k largest.
    floor: Key,
}

impl Best {
    pub fn new(k: usize) -> Self {
        Self {
            k,
            kept: Vec::new(),
            floor: 0,
        }
    }

    /// Returns the number of keys at which the smallest are dropped.
    fn capacity(&self) -> usize {
        self.k + self.k / 4 + 8
    }

    /// Adds a key if it may be among the k largest.
    pub fn offer(&mut self, key: Key) {
        if key < self.floor {
            return;
        }
        self.kept.push(key);
        if self.kept.len() >= self.capacity() {
            self.shrink();
        }
    }

    /// Returns the lowest score that may still be among the best. Returns −∞ while fewer than k are
    /// known.
    pub fn floor_score(&self) -> f32 {
        if self.floor == 0 {
            f32::NEG_INFINITY
        } else {
            score_of(self.floor)
        }
    }

    /// Forgets the keys but keeps the floor, so that the rows of the whole corpus must reach the
    /// sample's score, whatever their row numbers.
    pub fn keep_floor(&mut self) {
        self.shrink();
        self.kept.clear();
        self.floor = self.floor >> 32 << 32;
    }

    /// Drops all but the k largest keys.
    pub fn shrink(&mut self) {
        if self.kept.len() >= self.k {
            let (_, least, _) = self
                .kept
                .select_nth_unstable_by(self.k - 1, |a, b| b.cmp(a));
            self.floor = self.floor.max(*least);
            self.kept.truncate(self.k);
        }
    }

    /// Adds the keys of another collection.
    pub fn merge(&mut self, other: Self) {
        for key in other.kept {
            self.offer(key);
        }
    }

    /// Returns the k largest keys in falling order.
    pub fn into_sorted(mut self) -> Vec<Key> {
        self.shrink();
        self.kept.sort_unstable_by(|a, b| b.cmp(a));
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_scores_then_rows_do() {
        let scores = [
            f32::INFINITY,
            f32::MAX,
            1.5,
            f32::MIN_POSITIVE,
            1e-45,
            0.0,
            -1e-45,
            -2.0,
            f32::MIN,
            f32::NEG_INFINITY,
        ];
        for pair in scores.windows(2) {
            assert!(key(pair[0], u32::MAX) > key(pair[1], 0), "{pair:?}");
        }
        for score in scores {
            assert!(key(score, 3) > key(score, 4));
            assert_eq!((score_of(key(score, 3)), row_of(key(score, 3))), (score, 3));
        }
        assert_eq!(key(0.0, 1), key(-0.0, 1));
    }

    #[test]
    fn the_best_of_many_are_kept() {
        for k in [1, 7, 100] {
            let mut best = Best::new(k);
            let scores: Vec<f32> = (0..1000u32).map(|i| (i * 7919 % 331) as f32).collect();
            (0..)
                .zip(&scores)
                .for_each(|(row, &score)| best.offer(key(score, row)));
            let mut all: Vec<(f32, u32)> = scores.into_iter().zip(0..).collect();
            all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let found = best
                .into_sorted()
                .into_iter()
                .map(|key| (score_of(key), row_of(key)));
            assert!(found.eq(all.into_iter().take(k)));
        }
    }
}

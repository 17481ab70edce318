//! The shingles of a text: its distinct runs of five characters.

use crate::mix::mix;
use crate::same_text::key;

/// Five characters work in every script. In English they are about a word with its spaces.
pub const SHINGLE: usize = 5;

/// The multiplier of the polynomial hash. Any odd number with well mixed bits works; this one comes
/// from the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
/// The factor of the first character of a window.
const HIGHEST: u64 = MULTIPLIER.wrapping_pow(SHINGLE as u32 - 1);

/// Buffers that are used again for one text after another.
#[derive(Default)]
pub struct Shingler {
    codes: Vec<u32>,
    hashes: Vec<u64>,
}

impl Shingler {
    /// Returns the hashes of a text's distinct shingles, in ascending order. A text below five
    /// characters has one shingle, and a blank text has none.
    pub fn shingles(&mut self, text: &str) -> &[u64] {
        self.unsorted(text);
        self.hashes.sort_unstable();
        self.hashes.dedup();
        &self.hashes
    }

    /// Returns the hashes of all shingles in the order of the text, duplicates included.
    pub fn unsorted(&mut self, text: &str) -> &[u64] {
        self.read(text);
        if !self.codes.is_empty() && self.codes.len() < SHINGLE {
            self.codes.resize(SHINGLE, 0);
        }
        self.hashes.clear();
        if let Some((first, rest)) = self.codes.split_at_checked(SHINGLE) {
            // The rolling hash of a window follows from that of the window before.
            let mut window = polynomial(first);
            self.hashes.push(mix(window));
            for (&leaves, &comes) in self.codes.iter().zip(rest) {
                let others = window.wrapping_sub(u64::from(leaves).wrapping_mul(HIGHEST));
                window = others
                    .wrapping_mul(MULTIPLIER)
                    .wrapping_add(u64::from(comes));
                self.hashes.push(mix(window));
            }
        }
        &self.hashes
    }

    /// Reads the code points of the text's [`key`].
    fn read(&mut self, text: &str) -> &[u32] {
        self.codes.clear();
        self.codes.extend(key(text).chars().map(u32::from));
        &self.codes
    }
}

/// Returns the polynomial hash of code points.
fn polynomial(codes: &[u32]) -> u64 {
    codes.iter().fold(0, |sum: u64, &code| {
        sum.wrapping_mul(MULTIPLIER).wrapping_add(u64::from(code))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        let mut shingler = Shingler::default();
        let codes = shingler.read(text).iter();
        codes.filter_map(|&code| char::from_u32(code)).collect()
    }

    #[test]
    fn case_width_and_white_space_are_ignored_but_symbols_stay() {
        assert_eq!(plain("  The\tCOUNT,\r\nof x!  "), "the count, of x!");
        assert_eq!(plain("ＡＢＣ　１２"), "abc 12");
        assert_eq!(plain("e\u{301}É"), "éé");
        assert_eq!(plain("ｶﾞ"), "ガ");
        assert_ne!(plain("C++"), plain("C#"));
        assert_ne!(plain("x²"), plain("x2"));
        assert_eq!(plain(" \n\u{3000}"), "");
    }

    #[test]
    fn short_texts_have_one_shingle_and_blank_ones_none() {
        let mut shingler = Shingler::default();
        let mut count = |text: &str| shingler.shingles(text).len();
        assert_eq!(
            [count(""), count(" "), count("a"), count("abcde")],
            [0, 0, 1, 1]
        );
        assert_eq!([count("abcdef"), count("aaaaaaaa")], [2, 1]);
    }
}

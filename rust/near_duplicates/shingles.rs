//! The shingles of a text: its distinct runs of five characters.

use crate::mix::mix;
use crate::same_text::key;

/// Five characters work in every script; in English they are a word with its spaces.
pub const SHINGLE: usize = 5;

/// Of a polynomial hash: any odd number with its bits well mixed, here of the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const HIGHEST: u64 = MULTIPLIER.wrapping_pow(SHINGLE as u32 - 1);

/// Room for the shingles of one text after another.
#[derive(Default)]
pub struct Shingler {
    codes: Vec<u32>,
    hashes: Vec<u64>,
}

impl Shingler {
    /// The hashes of a text's shingles, each once, rising: of a text below five characters one, of
    /// a blank one none.
    pub fn shingles(&mut self, text: &str) -> &[u64] {
        self.unsorted(text);
        self.hashes.sort_unstable();
        self.hashes.dedup();
        &self.hashes
    }

    /// The same in the order of the text, as often as they stand there.
    pub fn unsorted(&mut self, text: &str) -> &[u64] {
        self.read(text);
        if !self.codes.is_empty() && self.codes.len() < SHINGLE {
            self.codes.resize(SHINGLE, 0);
        }
        self.hashes.clear();
        if let Some((first, rest)) = self.codes.split_at_checked(SHINGLE) {
            // The hash of the next window, from that of the one before: what leaves it is known.
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

    /// The code points of what a text says: see [`key`].
    fn read(&mut self, text: &str) -> &[u32] {
        self.codes.clear();
        self.codes.extend(key(text).chars().map(u32::from));
        &self.codes
    }
}

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

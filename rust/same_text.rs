//! Decides whether two texts are the same: whether they say the same, however they were typed.
//!
//! Two texts are the same if their *keys* are equal. The key of a text leaves out what does not
//! change its meaning:
//!
//! * white space: words are joined by one space;
//! * composition: "é" may be one code point or two (Unicode's canonical equivalence);
//! * case, letter by letter. Unicode's full case folding is not used, because it maps "ß" to "ss":
//!   German "Maße" (measures) and "Masse" (mass) are different words;
//! * width: full-width and half-width forms, which East Asian keyboards produce.
//!
//! Everything else counts: punctuation and symbols ("C++" is not "C#", "+2" is not "-2"), and forms
//! that are equal only by compatibility ("x²" is not "x2").

use std::borrow::Cow;

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::cancel::{Ticks, check, sort_unstable_by};
use crate::dedup::{FirstOccurrences, hash};
use crate::memory::{Allowance, push, with_capacity};
use crate::white_space::normalise;

/// The number of code points at the start and at the end of a key that are compared before the
/// whole key. Most texts differ in them, so the rest need not be read.
const EDGE_CHARS: usize = 32;
/// The number of bytes of a text that these code points are first looked for in.
const EDGE_BYTES: usize = 48;

/// The bytes that an item takes at most in the groups of equal texts.
const SHARED_BYTES: usize = 64;

/// The number of texts of a parallel work item.
const TEXTS_PER_JOB: usize = 256;

/// Returns the key of a text. It is equal for texts that are the same.
pub fn key(text: &str) -> Cow<'_, str> {
    if !text.is_ascii() {
        return Cow::Owned(into_normal(folded(text)));
    }
    let normal = normalise(text);
    if normal.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let mut lower = normal.into_owned();
        lower.make_ascii_lowercase();
        return Cow::Owned(lower);
    }
    normal
}

/// Normalises white space.
fn into_normal(text: String) -> String {
    match normalise(&text) {
        Cow::Owned(normal) => normal,
        Cow::Borrowed(_) => text,
    }
}

/// Returns a text in lower case, in usual width, and composed (NFC).
fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let mut settled = true;
    let mut rest = text;
    loop {
        let (ascii, others) = rest.split_at(ascii_bytes(rest));
        let start = folded.len();
        folded.push_str(ascii);
        folded[start..].make_ascii_lowercase();
        let changes = |c: char| !has_boundary_before(c) || may_have_case(c);
        let (unchanged, others) = others.split_at(others.find(changes).unwrap_or(others.len()));
        folded.push_str(unchanged);
        let mut chars = others.chars();
        let Some(c) = chars.next() else { break };
        rest = chars.as_str();
        match in_usual_width(c) {
            c if c.is_ascii() => folded.push(c.to_ascii_lowercase()),
            // The sigma at the end of a word is the same letter: both have the same capital.
            'ς' => folded.push('σ'),
            c => {
                folded.extend(c.to_lowercase());
                settled &= has_boundary_before(c);
            }
        }
    }
    if settled || is_nfc_quick(folded.chars()) == IsNormalized::Yes {
        return folded;
    }
    folded.nfc().collect()
}

/// Returns the number of bytes before the first character that is not ASCII.
pub(crate) fn ascii_bytes(text: &str) -> usize {
    let (words, _) = text.as_bytes().as_chunks::<8>();
    let is_ascii = |word: &&[u8; 8]| u64::from_ne_bytes(**word) & 0x8080_8080_8080_8080 == 0;
    let start = 8 * words.iter().take_while(is_ascii).count();
    let rest = &text.as_bytes()[start..];
    start + rest.iter().take_while(|byte| byte.is_ascii()).count()
}

/// Tells whether composition (NFC) keeps a code point, case aside, and never joins it to the text
/// before it. Lists only code points of the common scripts, and serves speed alone.
pub(crate) fn has_boundary_before(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{2ff}'
            | 'Α'..='\u{482}'
            | '\u{48a}'..='\u{52f}'
            | '\u{2010}'..='\u{205e}'
            | '\u{3001}'..='\u{3029}'
            | 'ぁ'..='ゖ'
            | 'ァ'..='ヺ'
            | '\u{3400}'..='\u{9fff}'
            | '가'..='힣'
    ) && c != 'İ'
}

/// Tells whether a code point may have a lower-case form.
fn may_have_case(c: char) -> bool {
    c < '\u{530}'
}

/// Returns the usual form of a full-width or half-width character.
fn in_usual_width(c: char) -> char {
    match c {
        '\u{3000}' => ' ',
        '！'..='～' => char::from((u32::from(c) - 0xff00) as u8 + b' '),
        '｟'..='\u{ffee}' => USUAL_FORMS[(u32::from(c) - 0xff5f) as usize],
        _ => c,
    }
}

/// The usual forms of U+FF5F to U+FFEE; a character without one stands for itself.
#[rustfmt::skip]
const USUAL_FORMS: [char; 144] = [
    '⦅', '⦆', '。', '「', '」', '、', '・', 'ヲ', 'ァ', 'ィ', 'ゥ', 'ェ', 'ォ', 'ャ', 'ュ', 'ョ', 'ッ',
    'ー', 'ア', 'イ', 'ウ', 'エ', 'オ', 'カ', 'キ', 'ク', 'ケ', 'コ', 'サ', 'シ', 'ス', 'セ', 'ソ', 'タ',
    'チ', 'ツ', 'テ', 'ト', 'ナ', 'ニ', 'ヌ', 'ネ', 'ノ', 'ハ', 'ヒ', 'フ', 'ヘ', 'ホ', 'マ', 'ミ', 'ム',
    'メ', 'モ', 'ヤ', 'ユ', 'ヨ', 'ラ', 'リ', 'ル', 'レ', 'ロ', 'ワ', 'ン', '\u{3099}', '\u{309a}',
    '\u{3164}', 'ㄱ', 'ㄲ', 'ㄳ', 'ㄴ', 'ㄵ', 'ㄶ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㄺ', 'ㄻ', 'ㄼ', 'ㄽ', 'ㄾ',
    'ㄿ', 'ㅀ', 'ㅁ', 'ㅂ', 'ㅃ', 'ㅄ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ', 'ㅌ', 'ㅍ', 'ㅎ',
    '\u{ffbf}', '\u{ffc0}', '\u{ffc1}', 'ㅏ', 'ㅐ', 'ㅑ', 'ㅒ', 'ㅓ', 'ㅔ', '\u{ffc8}',
    '\u{ffc9}', 'ㅕ', 'ㅖ', 'ㅗ', 'ㅘ', 'ㅙ', 'ㅚ', '\u{ffd0}', '\u{ffd1}', 'ㅛ', 'ㅜ', 'ㅝ',
    'ㅞ', 'ㅟ', 'ㅠ', '\u{ffd8}', '\u{ffd9}', 'ㅡ', 'ㅢ', 'ㅣ', '\u{ffdd}', '\u{ffde}',
    '\u{ffdf}', '¢', '£', '¬', '¯', '¦', '¥', '₩', '\u{ffe7}', '│', '←', '↑', '→', '↓',
    '■', '○',
];

/// Returns for each of `len` items the first item with the same text.
pub fn first_of<'a>(len: usize, text: impl Fn(usize) -> Cow<'a, str> + Sync) -> Vec<i64> {
    let mut first = with_capacity(len);
    first.extend(0..len as i64);
    // Texts with the same introduction are common; few of them have the same end too.
    let begin = with_shared_hash(len, |item| prefix_hash(&text(item)));
    let end = with_shared_hash(begin.len(), |place| suffix_hash(&text(begin[place])));
    let alike: Vec<usize> = end.into_iter().map(|place| begin[place]).collect();
    let hashes: Vec<u64> = alike
        .par_iter()
        .with_min_len(TEXTS_PER_JOB)
        .inspect(|_| check())
        .map(|&item| hash(key(&text(item)).as_bytes()))
        .collect();
    let same = |i: usize, j: usize| is_same(&text(alike[i]), &text(alike[j]));
    for (&item, original) in alike.iter().zip(FirstOccurrences::of_each(&hashes, same)) {
        first[item] = alike[original] as i64;
    }
    first
}

/// Tells whether two texts are the same.
pub fn is_same(one: &str, other: &str) -> bool {
    one == other || key(one) == key(other)
}

/// Returns, in ascending order, those of `len` items whose hash is also that of another of them.
/// Items with the same text must have the same hash.
fn with_shared_hash(len: usize, hash: impl Fn(usize) -> u64 + Send + Sync) -> Vec<usize> {
    let mut hashes = with_capacity(len);
    (0..len)
        .into_par_iter()
        .with_min_len(TEXTS_PER_JOB)
        .inspect(|_| check())
        .map(hash)
        .collect_into_vec(&mut hashes);
    let (table, repeats) = FirstOccurrences::build(&hashes, |i, j| hashes[i] == hashes[j]);
    if repeats.is_empty() {
        return Vec::new();
    }
    let mut shared = with_capacity(len);
    shared.resize(len, false);
    let firsts = table.firsts(&repeats, &hashes, |i, j| hashes[i] == hashes[j]);
    for (repeat, first) in repeats.into_iter().zip(firsts) {
        check();
        shared[repeat] = true;
        shared[first] = true;
    }
    let mut found = Vec::new();
    for (item, _) in shared.into_iter().enumerate().filter(|&(_, shared)| shared) {
        push(&mut found, item);
    }
    found
}

/// Hashes the first code points of a text's key. Reads no more of the text than necessary.
fn prefix_hash(text: &str) -> u64 {
    let mut bytes = EDGE_BYTES;
    loop {
        let start = &text[..boundary_from(text, bytes)];
        let key = key(start);
        let end = match key.is_ascii() {
            true => (key.len() > EDGE_CHARS).then_some(EDGE_CHARS),
            false => key.char_indices().nth(EDGE_CHARS).map(|(end, _)| end),
        };
        match end {
            Some(end) => return hash(&key.as_bytes()[..end]),
            None if start.len() == text.len() => return hash(key.as_bytes()),
            None => bytes *= 3,
        }
    }
}

/// Hashes the last code points of a text's key. Reads no more of the text than necessary.
fn suffix_hash(text: &str) -> u64 {
    let mut bytes = EDGE_BYTES;
    loop {
        let end = &text[boundary_up_to(text, text.len().saturating_sub(bytes))..];
        let key = key(end);
        let start = key
            .char_indices()
            .nth_back(EDGE_CHARS - 1)
            .map(|(start, _)| start);
        match start {
            Some(start) => return hash(&key.as_bytes()[start..]),
            None if end.len() == text.len() => return hash(key.as_bytes()),
            None => bytes *= 3,
        }
    }
}

/// Returns an offset from `bytes` on at which the text can be cut without changing the key of the
/// part before it; the end of the text if there is none.
fn boundary_from(text: &str, bytes: usize) -> usize {
    let rest = text
        .bytes()
        .skip(bytes)
        .position(|byte| byte & 0xc0 != 0x80);
    let from = rest.map_or(text.len(), |rest| bytes + rest);
    let settled = text[from..]
        .char_indices()
        .find(|&(_, c)| has_boundary_before(c));
    settled.map_or(text.len(), |(at, _)| from + at)
}

/// Returns an offset up to `bytes` at which the text can be cut without changing the key of the
/// part after it; the start of the text if there is none.
fn boundary_up_to(text: &str, bytes: usize) -> usize {
    let settled = text
        .char_indices()
        .rfind(|&(at, c)| at <= bytes && has_boundary_before(c));
    settled.map_or(0, |(at, _)| at)
}

/// Groups of items with the same text.
#[derive(Debug, Default)]
pub struct SameText {
    /// For each item the first item with the same text.
    pub first: Vec<i64>,
    /// For texts that several items have: all these items in ascending order, by the first of them.
    shared: FxHashMap<i64, Vec<i64>>,
}

impl SameText {
    /// Groups `len` items by their texts.
    pub fn of<'a>(len: usize, text: impl Fn(usize) -> Cow<'a, str> + Sync) -> Self {
        Self::from_first(first_of(len, text))
    }

    /// Groups items, given the first item with the same text for each.
    fn from_first(first: Vec<i64>) -> Self {
        let mut shared: FxHashMap<i64, Vec<i64>> = FxHashMap::default();
        let (held, mut ticks) = (Allowance::new(SHARED_BYTES), Ticks::default());
        for (item, &original) in (0..).zip(&first) {
            ticks.tick();
            if item != original {
                held.take_all(2);
                let all = shared.entry(original).or_insert_with(|| vec![original]);
                all.push(item);
            }
        }
        Self { first, shared }
    }

    /// Tells whether no two items have the same text.
    pub fn all_differ(&self) -> bool {
        self.shared.is_empty()
    }

    /// Returns the items of each text that several items have, in the order of their first items.
    pub fn shared(&self) -> Vec<&[i64]> {
        let mut groups: Vec<&[i64]> = self.shared.values().map(Vec::as_slice).collect();
        sort_unstable_by(&mut groups, Ord::cmp);
        groups
    }

    /// Returns these items and all others with the same text as one of them.
    pub fn with_same_text(&self, items: &[i64]) -> Vec<i64> {
        let mut all = Vec::with_capacity(items.len());
        for item in items {
            match self.shared.get(&self.first[*item as usize]) {
                Some(same) => all.extend_from_slice(same),
                None => all.push(*item),
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use unicode_normalization::char::canonical_combining_class;

    use super::*;

    #[test]
    fn same_and_different_texts() {
        for (one, other) in [
            ("Who made  it?\n", " who MADE it?"),
            ("caf\u{e9}", "CAFE\u{301}"),
            ("ＡＢＣ　１２３", "abc 123"),
            ("ｶﾞｲﾄﾞ", "ガイド"),
            ("ΟΔΟΣ", "οδος"),
            ("\u{1100}\u{1161}\u{11a8}", "각"),
            ("İ", "I\u{307}"),
        ] {
            assert!(is_same(one, other), "{one:?} {other:?}");
        }
        for (one, other) in [
            ("Who made C++?", "Who made C#?"),
            ("The charge is +2.", "The charge is -2."),
            ("x²", "x2"),
            ("①", "1"),
            ("Maße", "Masse"),
            ("Who?", "Who"),
            ("ﬁ", "fi"),
        ] {
            assert!(!is_same(one, other), "{one:?} {other:?}");
        }
    }

    #[test]
    fn normalisation_has_a_boundary_before_these_code_points() {
        let slow = |text: &str| {
            text.chars()
                .flat_map(char::to_lowercase)
                .nfc()
                .collect::<String>()
        };
        for c in (0..=0x10ffff)
            .filter_map(char::from_u32)
            .filter(|&c| has_boundary_before(c))
        {
            let lower: String = c.to_lowercase().collect();
            assert_eq!(is_nfc_quick(lower.chars()), IsNormalized::Yes, "{c:?}");
            assert_eq!(canonical_combining_class(c), 0, "{c:?}");
            assert!(c < '\u{530}' || lower == c.to_string(), "{c:?}");
            for before in ["a", "e\u{301}", "\u{1100}", "가", "か"] {
                let together = slow(&format!("{before}{c}"));
                assert_eq!(
                    together,
                    slow(before) + &slow(&c.to_string()),
                    "{before:?} {c:?}"
                );
            }
        }
    }

    #[test]
    fn texts_with_equal_edges_are_compared_in_full() {
        let long = "é".repeat(200);
        let texts = [
            format!("{long} a {long}"),
            format!("{long} b {long}"),
            format!("{long}  B {}\n", "e\u{301}".repeat(200)),
            format!("{long} b {long}{}", " ".repeat(500)),
        ];
        let same = SameText::of(texts.len(), |i| Cow::Borrowed(&*texts[i]));
        assert_eq!(same.first, [0, 1, 1, 1]);
    }

    #[test]
    fn a_suffix_does_not_depend_on_how_it_was_typed() {
        let end = "0123456789 abcdefghijklmnopqrstuvwxyz";
        for (one, other) in [
            (format!("a{end}"), format!("b  {} ", end.to_uppercase())),
            ("ガ".repeat(90), "ｶﾞ".repeat(80)),
            ("e\u{301}".repeat(300), "É".repeat(40)),
            (format!("x{}", " y".repeat(300)), "y\n\n".repeat(200)),
            ("short".to_owned(), "  SHORT".to_owned()),
        ] {
            assert_eq!(suffix_hash(&one), suffix_hash(&other), "{one:?} {other:?}");
        }
        assert_ne!(suffix_hash("short"), suffix_hash("shore"));
    }

    #[test]
    fn texts_with_equal_prefixes_are_compared_in_full() {
        let long = "é".repeat(200);
        let texts = [
            format!("{long} a"),
            format!("{long} b"),
            format!("{}  B", "e\u{301}".repeat(200)),
            "short".to_owned(),
            " ".repeat(500) + "SHORT",
            long.clone(),
        ];
        let same = SameText::of(texts.len(), |i| Cow::Borrowed(&*texts[i]));
        assert_eq!(same.first, [0, 1, 1, 3, 3, 5]);
        assert_eq!(same.shared(), [[1, 2], [3, 4]]);
        assert_eq!(same.with_same_text(&[0, 4]), [0, 3, 4]);
    }
}

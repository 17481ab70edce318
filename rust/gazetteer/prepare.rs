//! The form in which names and texts are compared, with offsets mapped back.
//!
//! A text is cut into *units*: the smallest parts that Unicode normalises by themselves, such as a
//! letter and the accents after it. Each unit is normalised, folded if case is ignored, and
//! normalised again, since folding may undo a composition. A run of white space is one unit, a
//! single space. Units tile the text, so the place between two units is known in both forms.

use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, decompose_canonical};
use unicode_normalization::char::{decompose_compatible, is_combining_mark};
use unicode_normalization::{IsNormalized, is_nfc_quick};

use crate::cancel::Ticks;
use crate::error::{Error, Result};
use crate::memory::reserve;
use crate::same_text::{ascii_bytes, has_boundary_before};
use crate::white_space::is_space;

/// The place inside a unit, which is no place of the original text.
pub const INSIDE: usize = usize::MAX;

/// More than the factor by which a unit's bytes may grow: by 11 in NFKC, and by half when folded.
const EXPANSION: usize = 18;

/// A form of Unicode in which texts are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// The text stays as it is written.
    None,
    /// Composed: canonically equivalent texts are equal.
    #[default]
    Nfc,
    /// Composed, and forms of one character, such as wide or circled ones, are equal.
    Nfkc,
}

impl FromStr for Form {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "none" => Ok(Self::None),
            "nfc" => Ok(Self::Nfc),
            "nfkc" => Ok(Self::Nfkc),
            _ => Err(Error::Usage(format!(
                "unicode_form is {name:?}; expected \"nfc\", \"nfkc\" or \"none\""
            ))),
        }
    }
}

/// The differences that do not count when names are compared with texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    pub ignore_case: bool,
    pub form: Form,
}

/// A text as it is compared. The buffers are used again for one text after another.
#[derive(Debug, Default)]
pub struct Prepared {
    /// The units' bytes, one after another.
    pub bytes: Vec<u8>,
    /// For each byte, then for the end: the byte offset in the original text where its unit
    /// starts, or [`INSIDE`].
    pub origin: Vec<usize>,
}

impl Prepared {
    /// Prepares a text.
    pub fn read(&mut self, text: &str, rules: Rules) {
        self.bytes.clear();
        self.origin.clear();
        // In most texts no unit grows, so there is always room for the next one.
        let room = text.len() + EXPANSION * char::MAX.len_utf8();
        reserve(&mut self.bytes, room);
        reserve(&mut self.origin, room + 1);
        let mut ticks = Ticks::default();
        let mut in_space = false;
        let mut at = 0;
        loop {
            // An ASCII character before another one, or at the end, is a unit by itself.
            let rest = &text.as_bytes()[at..];
            let ascii = ascii_bytes(&text[at..]);
            let alone = ascii - usize::from(ascii > 0 && ascii < rest.len());
            let run = &rest[..alone];
            if is_regular(run) && !(in_space && run.starts_with(b" ")) {
                ticks.tick();
                let start = self.bytes.len();
                self.bytes.extend_from_slice(run);
                if rules.ignore_case {
                    self.bytes[start..].make_ascii_lowercase();
                }
                self.origin.extend(at..at + alone);
                in_space = run.last().map_or(in_space, |&byte| byte == b' ');
            } else {
                for (i, &byte) in run.iter().enumerate() {
                    ticks.tick();
                    let is_space = is_space(char::from(byte));
                    if !(is_space && in_space) {
                        self.bytes.push(match byte {
                            _ if is_space => b' ',
                            _ if rules.ignore_case => byte.to_ascii_lowercase(),
                            _ => byte,
                        });
                        self.origin.push(at + i);
                    }
                    in_space = is_space;
                }
            }
            at += alone;
            let Some(c) = text[at..].chars().next() else {
                break;
            };
            ticks.tick();
            let end = at + unit_length(&text[at..], c, rules.form);
            let is_space_alone = is_space(c) && end == at + c.len_utf8();
            if !(is_space_alone && in_space) {
                let start = self.bytes.len();
                let room = EXPANSION * (end - at) + text.len() - at;
                reserve(&mut self.bytes, room);
                reserve(&mut self.origin, room + 1);
                if is_space_alone {
                    self.bytes.push(b' ');
                } else {
                    push_unit(&mut self.bytes, &text[at..end], c, rules);
                }
                self.origin.push(at);
                self.origin
                    .resize(self.origin.len() + self.bytes.len() - start - 1, INSIDE);
            }
            in_space = is_space_alone;
            at = end;
        }
        self.origin.push(at);
    }

    /// Returns the bytes that a name is found by: without the units of white space at its ends.
    pub fn key(&self) -> &[u8] {
        let is_space = |unit: usize| {
            self.bytes.get(unit) == Some(&b' ') && !self.origin[unit..unit + 2].contains(&INSIDE)
        };
        let start = usize::from(is_space(0));
        let end = self.bytes.len();
        let cut = usize::from(end > start && is_space(end - 1));
        &self.bytes[start..end - cut]
    }
}

/// Tells whether the only white space of an ASCII text is single spaces.
fn is_regular(run: &[u8]) -> bool {
    let is_other = |&byte: &u8| byte < b' ' && is_space(char::from(byte));
    !run.iter().any(is_other) && !run.windows(2).any(|pair| pair == b"  ")
}

/// Returns the number of bytes of the unit that starts with `c`, the first character of `rest`.
fn unit_length(rest: &str, c: char, form: Form) -> usize {
    let first = c.len_utf8();
    // Nothing joins an ASCII character from behind, and this is by far the commonest next one.
    if form == Form::None || rest.as_bytes().get(first).is_none_or(u8::is_ascii) {
        return first;
    }
    let after = rest[first..].char_indices();
    let mut joined = after.skip_while(|&(_, c)| !starts_unit(c, form));
    joined.next().map_or(rest.len(), |(at, _)| first + at)
}

/// Tells whether normalising never joins a character to the text before it: whether its
/// decomposition starts with a character that neither combines nor composes.
fn starts_unit(c: char, form: Form) -> bool {
    if c.is_ascii() || (form == Form::Nfc && has_boundary_before(c)) || is_plain(c) {
        return true;
    }
    let mut first = None;
    let mut note = |part| {
        first.get_or_insert(part);
    };
    match form {
        Form::Nfkc => decompose_compatible(c, &mut note),
        _ => decompose_canonical(c, &mut note),
    }
    let first = first.unwrap_or(c);
    canonical_combining_class(first) == 0
        && is_nfc_quick(std::iter::once(first)) == IsNormalized::Yes
}

/// Tells whether a character is one of those of Chinese, Japanese and Korean text that every form
/// keeps, that have no case and that nothing joins to the text before. Serves speed alone.
pub fn is_plain(c: char) -> bool {
    matches!(c, 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '\u{3400}'..='\u{9fff}')
}

/// Appends a unit that starts with `c`.
fn push_unit(out: &mut Vec<u8>, unit: &str, c: char, rules: Rules) {
    let is_single = unit.len() == c.len_utf8();
    if is_single && c.is_ascii() {
        let folded = if rules.ignore_case {
            c.to_ascii_lowercase()
        } else {
            c
        };
        return out.push(folded as u8);
    }
    if is_single && is_plain(c)
        || rules
            == (Rules {
                ignore_case: false,
                form: Form::None,
            })
    {
        return out.extend_from_slice(unit.as_bytes());
    }
    let mut push = |c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    match (rules.form, rules.ignore_case) {
        (Form::None, _) => unit.chars().map(fold).for_each(push),
        (Form::Nfc, false) => unit.nfc().for_each(push),
        (Form::Nfkc, false) => unit.nfkc().for_each(push),
        (Form::Nfc, true) => unit.nfc().map(fold).nfc().for_each(&mut push),
        (Form::Nfkc, true) => unit.nfkc().map(fold).nfkc().for_each(&mut push),
    }
}

/// Folds the case of a character by Unicode's simple folding, which maps one character to one.
/// The full folding maps "ß" to "ss", and would find "Masse" where "Maße" stands.
fn fold(c: char) -> char {
    unicode_case_mapping::case_folded(c)
        .and_then(|folded| char::from_u32(folded.get()))
        .unwrap_or(c)
}

/// Tells whether a character is a combining mark: an accent, a vowel sign, a variation selector.
pub fn is_mark(c: char) -> bool {
    !c.is_ascii() && is_combining_mark(c)
}

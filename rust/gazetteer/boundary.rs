//! Where a name may begin and end in a text.
//!
//! A place between two characters is a boundary unless
//!
//! * it cuts what people see as one character (an extended grapheme cluster, UAX #29): a letter and
//!   its accent, an emoji and its skin tone;
//! * both its sides are word characters of scripts that put spaces between words. A word character
//!   is a letter, a digit or "_". Accents are passed over to the letter that carries them.
//!
//! So Chinese, Japanese and Thai text has a boundary between any two characters, and "in" is not
//! found in "Berlin". Punctuation and symbols have a boundary on both sides: where a name begins or
//! ends with one, that end stands anywhere, and "C++" is found in "C++11".

use unicode_script::{Script, UnicodeScript};
use unicode_segmentation::GraphemeCursor;

use super::prepare::{is_mark, is_plain};

/// The scripts without spaces between words, and Hangul, which writes particles onto names: in
/// "서울에서" the name is "서울".
const UNSPACED: [Script; 18] = [
    Script::Han,
    Script::Hiragana,
    Script::Katakana,
    Script::Bopomofo,
    Script::Hangul,
    Script::Yi,
    Script::Thai,
    Script::Lao,
    Script::Khmer,
    Script::Myanmar,
    Script::Tai_Tham,
    Script::Tai_Le,
    Script::New_Tai_Lue,
    Script::Tai_Viet,
    Script::Ahom,
    Script::Tibetan,
    Script::Balinese,
    Script::Javanese,
];

/// The letters before this one are Latin, Greek or Cyrillic. Serves speed alone.
const FIRST_LOOKED_UP: char = '\u{530}';

/// Tells whether the byte offset `at`, which lies between two characters, is a boundary of `text`.
pub fn is_boundary(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    if at > 0 && at < bytes.len() && bytes[at - 1].is_ascii() && bytes[at].is_ascii() {
        let is_word = |byte: u8| is_spaced(char::from(byte));
        return !(is_word(bytes[at - 1]) && is_word(bytes[at]));
    }
    let (before, after) = text.split_at(at);
    let (Some(last), Some(next)) = (before.chars().next_back(), after.chars().next()) else {
        return true;
    };
    if is_spaced(next) {
        let carrier = before.chars().rev().find(|&c| !is_mark(c));
        if carrier.is_some_and(is_spaced) {
            return false;
        }
    }
    let is_simple = |c: char| c.is_ascii() || is_plain(c);
    is_simple(last) && is_simple(next) || !cuts_grapheme(text, at)
}

fn cuts_grapheme(text: &str, at: usize) -> bool {
    let found = GraphemeCursor::new(at, text.len(), true).is_boundary(text, 0);
    // With the whole text at hand the cursor asks for no more of it.
    found == Ok(false)
}

/// Tells whether a character is a word character of a script that puts spaces between words.
fn is_spaced(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    if is_plain(c) || !c.is_alphanumeric() {
        return false;
    }
    if c < FIRST_LOOKED_UP {
        return true;
    }
    let scripts = c.script_extension();
    // A digit belongs to all scripts.
    scripts.is_common()
        || scripts.is_inherited()
        || !UNSPACED
            .iter()
            .any(|&script| scripts.contains_script(script))
}

//! Decodes columns of texts. Pages are decompressed in parallel, each into its place in one block of
//! memory, where the texts stay.

use std::ops::Range;

use rayon::prelude::*;

use super::footer::{Chunk, Footer, Texts};
use super::levels::{Run, Runs, rows_of_values, unpacked};
use super::pages::{Encoding, Layout, Page, pages};
use super::{Cells, Input, Read, Unread};
use crate::cancel::{Ticks, check};
use crate::corpus::{Span, TextColumn, concat};
use crate::memory::{push, reserve, try_with_capacity, zeros, zeros_in_small_pages};
use crate::white_space::is_blank_utf8;

/// Decodes columns of a file, the rows of one after those of another. Texts and their places may
/// take up to `ceiling` bytes.
pub fn read(input: &dyn Input, footer: &Footer, columns: &[Texts], ceiling: u64) -> Read<Cells> {
    let parts: Vec<Part> = columns
        .iter()
        .flat_map(|column| footer.groups.iter().map(move |group| (column, group)))
        .filter(|(_, group)| group.rows > 0)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|(column, group)| {
            let chunk = group.chunks[column.place].as_ref().ok_or(NOT_HERE)?;
            Part::find(input, chunk, group.rows, column.optional)
        })
        .collect::<Read<_>>()?;
    let (mut bytes, mut rows) = (0usize, 0usize);
    for part in &parts {
        rows = rows.checked_add(part.rows).ok_or(TOO_LARGE)?;
        for page in part.pages.iter().filter(|page| holds_texts(page)) {
            bytes = bytes.checked_add(page.unpacked).ok_or(TOO_LARGE)?;
        }
    }
    let spans_bytes = rows.checked_mul(size_of::<Span>()).ok_or(TOO_LARGE)?;
    if bytes.saturating_add(spans_bytes) as u64 > ceiling {
        return Err(TOO_LARGE);
    }
    let block = zeros_in_small_pages("texts", bytes);
    let mut block: Vec<u8> = block.map_err(|_| TOO_LARGE)?;
    let mut spans: Vec<Span> = zeros("texts", rows).map_err(|_| TOO_LARGE)?;
    let odd = fill(input, &parts, &mut block, &mut spans)?;
    let nulls = concat(&odd, |odd| &odd.nulls);
    let not_utf8 = concat(&odd, |odd| &odd.not_utf8);
    let blank = concat(&odd, |odd| &odd.blank);
    let mut texts = TextColumn::of_bytes(block, spans);
    if nulls.is_empty() && not_utf8.is_empty() && blank.is_empty() {
        texts = texts.known_visible();
    }
    Ok(Cells {
        texts,
        nulls,
        not_utf8,
        blank,
    })
}

/// A chunk of a column and its pages.
struct Part {
    pages: Vec<Page>,
    rows: usize,
    optional: bool,
}

impl Part {
    fn find(input: &dyn Input, chunk: &Chunk, rows: usize, optional: bool) -> Read<Self> {
        Ok(Self {
            pages: pages(input, chunk, rows)?,
            rows,
            optional,
        })
    }
}

/// Tells whether a page has texts, and not only numbers of them.
fn holds_texts(page: &Page) -> bool {
    page.layout == Layout::Dictionary || page.encoding == Encoding::Plain
}

/// A place in the block, and where it starts.
struct Room<'a> {
    bytes: &'a mut [u8],
    start: usize,
}

/// A dictionary that is to be decoded, and the number of its part.
struct DictionaryTask<'a> {
    part: usize,
    page: Page,
    room: Room<'a>,
}

/// A page that is to be decoded.
struct PageTask<'a> {
    part: usize,
    page: Page,
    /// Empty for a page that has no texts.
    room: Room<'a>,
    spans: &'a mut [Span],
    first_row: usize,
}

/// Decodes all pages, the dictionaries first.
fn fill(input: &dyn Input, parts: &[Part], block: &mut [u8], spans: &mut [Span]) -> Read<Vec<Odd>> {
    let (mut block, mut spans) = (block, spans);
    let (mut start, mut row) = (0, 0);
    let (mut dictionaries, mut data) = (Vec::new(), Vec::new());
    for (part, page) in (parts.iter().enumerate())
        .flat_map(|(number, part)| part.pages.iter().map(move |&page| (number, page)))
    {
        let length = if holds_texts(&page) { page.unpacked } else { 0 };
        let room = Room {
            bytes: cut(&mut block, length),
            start,
        };
        start += length;
        if page.layout == Layout::Dictionary {
            push(&mut dictionaries, DictionaryTask { part, page, room });
            continue;
        }
        let task = PageTask {
            part,
            page,
            room,
            spans: cut(&mut spans, page.values),
            first_row: row,
        };
        row += page.values;
        push(&mut data, task);
    }
    let found: Vec<(usize, Dictionary)> = dictionaries
        .into_par_iter()
        .map_init(Scratch::default, |scratch, task| {
            Ok((task.part, Dictionary::read(input, task, scratch)?))
        })
        .collect::<Read<_>>()?;
    let mut dictionaries: Vec<Dictionary> = Vec::new();
    dictionaries.resize_with(parts.len(), Dictionary::default);
    for (part, dictionary) in found {
        dictionaries[part] = dictionary;
    }
    data.into_par_iter()
        .map_init(Scratch::default, |scratch, task| {
            let part = task.part;
            task.read(input, parts[part].optional, &dictionaries[part], scratch)
        })
        .collect()
}

/// Cuts the first `length` items off.
fn cut<'a, T>(rest: &mut &'a mut [T], length: usize) -> &'a mut [T] {
    let (first, behind) = std::mem::take(rest).split_at_mut(length);
    *rest = behind;
    first
}

/// The memory that a thread uses for one page after another.
#[derive(Default)]
struct Scratch {
    compressed: Vec<u8>,
    numbers: Vec<u8>,
}

/// Makes a buffer at least so long, and returns that much of it.
fn sized(buffer: &mut Vec<u8>, length: usize) -> &mut [u8] {
    if buffer.len() < length {
        let more = length - buffer.len();
        reserve(buffer, more);
        buffer.resize(length, 0);
    }
    &mut buffer[..length]
}

/// Rows that are not like most, rising.
#[derive(Default)]
struct Odd {
    nulls: Vec<i64>,
    not_utf8: Vec<i64>,
    blank: Vec<i64>,
}

/// A text that is not like most.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Oddity {
    None,
    NotUtf8,
    Blank,
}

/// The texts of a dictionary.
#[derive(Default)]
struct Dictionary {
    spans: Vec<Span>,
    /// Empty if all texts are like most.
    oddities: Vec<Oddity>,
}

impl Dictionary {
    fn read(input: &dyn Input, task: DictionaryTask<'_>, scratch: &mut Scratch) -> Read<Self> {
        check();
        let DictionaryTask { page, room, .. } = task;
        // Each text takes four bytes at least.
        if page.values > page.unpacked / LENGTH {
            return Err(TOO_FEW);
        }
        let compressed = sized(&mut scratch.compressed, page.length);
        input.read(page.start, compressed)?;
        page.codec.decompress(compressed, room.bytes)?;
        let mut spans: Vec<Span> = zeros("texts", page.values).map_err(|_| TOO_LARGE)?;
        let mut oddities = Vec::new();
        each_text(
            room.bytes,
            0..page.unpacked,
            room.start,
            &mut spans,
            |text, oddity| {
                if oddities.is_empty() {
                    reserve(&mut oddities, page.values);
                    oddities.resize(page.values, Oddity::None);
                }
                oddities[text] = oddity;
            },
        )?;
        Ok(Self { spans, oddities })
    }

    /// Looks texts up by their numbers, a bit width and then runs. `odd` is called with the places
    /// of those that are not like most.
    fn look_up(
        &self,
        bytes: &[u8],
        spans: &mut [Span],
        mut odd: impl FnMut(usize, Oddity),
    ) -> Read<()> {
        let Some((&width, bytes)) = bytes.split_first() else {
            return if spans.is_empty() {
                Ok(())
            } else {
                Err(TOO_FEW)
            };
        };
        let (mut runs, mut done, mut ticks) =
            (Runs::new(bytes, width.into())?, 0, Ticks::default());
        while done < spans.len() {
            ticks.tick();
            let left = &mut spans[done..];
            let mut note = |place: usize, number: usize| {
                if let Some(&oddity) = self.oddities.get(number)
                    && oddity != Oddity::None
                {
                    odd(done + place, oddity);
                }
            };
            done += match runs.next(left.len())? {
                Run::Repeated { value, count } => {
                    let number = value as usize;
                    let span = *self.spans.get(number).ok_or(NO_ENTRY)?;
                    left[..count].fill(span);
                    if !self.oddities.is_empty() {
                        (0..count).for_each(|place| note(place, number));
                    }
                    count
                }
                Run::Packed { bytes, count } => {
                    let numbers = unpacked(bytes, width.into(), count);
                    for (place, (span, number)) in left.iter_mut().zip(numbers).enumerate() {
                        *span = *self.spans.get(number as usize).ok_or(NO_ENTRY)?;
                        note(place, number as usize);
                    }
                    count
                }
            };
        }
        Ok(())
    }
}

impl PageTask<'_> {
    /// Decodes the page.
    fn read(
        self,
        input: &dyn Input,
        optional: bool,
        dictionary: &Dictionary,
        scratch: &mut Scratch,
    ) -> Read<Odd> {
        check();
        let Self {
            page,
            room,
            spans,
            first_row,
            ..
        } = self;
        let compressed = sized(&mut scratch.compressed, page.length);
        input.read(page.start, compressed)?;
        let (before, compressed) = compressed.split_at(page.levels());
        let in_room = holds_texts(&page);
        let bytes = match in_room {
            true => room.bytes,
            false => sized(&mut scratch.numbers, page.unpacked),
        };
        if !bytes.is_empty() {
            page.codec.decompress(compressed, bytes)?;
        }
        let (levels, values) = match page.layout {
            _ if !optional => (None, 0..bytes.len()),
            Layout::Apart { .. } => (Some(before), 0..bytes.len()),
            _ => {
                let length = bytes.first_chunk().ok_or(TOO_FEW)?;
                let length = u32::from_le_bytes(*length) as usize;
                let end = length.checked_add(LENGTH).ok_or(TOO_FEW)?;
                (
                    Some(bytes.get(LENGTH..end).ok_or(TOO_FEW)?),
                    end..bytes.len(),
                )
            }
        };
        let there = match levels {
            Some(levels) => rows_of_values(levels, page.values)?,
            None => None,
        };
        let count = there.as_ref().map_or(page.values, Vec::len);
        let mut odd = Odd::default();
        let note = |place: usize, oddity: Oddity| {
            let row = there.as_ref().map_or(place, |there| there[place] as usize);
            let rows = match oddity {
                Oddity::NotUtf8 => &mut odd.not_utf8,
                _ => &mut odd.blank,
            };
            push(rows, (first_row + row) as i64);
        };
        match in_room {
            true => each_text(bytes, values, room.start, &mut spans[..count], note)?,
            false => dictionary.look_up(&bytes[values], &mut spans[..count], note)?,
        }
        if let Some(there) = there {
            odd.nulls = spread(spans, &there, first_row)?;
        }
        Ok(odd)
    }
}

/// Moves the first spans of a page to the rows of their values. Returns the rows that have none.
fn spread(spans: &mut [Span], there: &[u32], first_row: usize) -> Read<Vec<i64>> {
    let missing = spans.len() - there.len();
    let mut nulls = try_with_capacity("rows", missing).map_err(|_| TOO_LARGE)?;
    // From the last on, because no value moves to a row before its own place.
    let mut end = spans.len();
    for (place, &row) in there.iter().enumerate().rev() {
        let row = row as usize;
        nulls.extend((row + 1..end).rev().map(|row| (first_row + row) as i64));
        spans[row + 1..end].fill(Span::default());
        spans[row] = spans[place];
        end = row;
    }
    nulls.extend((0..end).rev().map(|row| (first_row + row) as i64));
    spans[..end].fill(Span::default());
    nulls.reverse();
    Ok(nulls)
}

/// Finds texts in a part of a page, each after its length. The page stands in the block from
/// `start` on. `odd` is called with the places of those that are not like most.
fn each_text(
    page: &[u8],
    part: Range<usize>,
    start: usize,
    spans: &mut [Span],
    mut odd: impl FnMut(usize, Oddity),
) -> Read<()> {
    let page = &page[..part.end];
    // Lengths of short texts are ASCII too, and most pages of them need no other look.
    let all_ascii = page[part.start..].is_ascii();
    let (mut at, mut ticks) = (part.start, Ticks::default());
    for (place, span) in spans.iter_mut().enumerate() {
        ticks.tick();
        let length = page
            .get(at..at + LENGTH)
            .and_then(<[u8]>::first_chunk)
            .ok_or(TOO_FEW)?;
        let length = u32::from_le_bytes(*length) as usize;
        at += LENGTH;
        let end = at
            .checked_add(length)
            .filter(|&end| end <= page.len())
            .ok_or(TOO_FEW)?;
        let text = &page[at..end];
        if !all_ascii && simdutf8::basic::from_utf8(text).is_err() {
            odd(place, Oddity::NotUtf8);
        } else {
            *span = Span::plain(start + at..start + end);
            if is_blank_utf8(text) {
                odd(place, Oddity::Blank);
            }
        }
        at = end;
    }
    Ok(())
}

/// The bytes of a text's length.
const LENGTH: usize = 4;

const NOT_HERE: Unread = Unread("a column that is not read here");
const TOO_LARGE: Unread = Unread("there is no memory for the texts");
const TOO_FEW: Unread = Unread("a page has too few bytes");
const NO_ENTRY: Unread = Unread("a number of no entry of the dictionary");

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(texts: &[&[u8]]) -> Vec<u8> {
        let parts = texts
            .iter()
            .map(|text| [&(text.len() as u32).to_le_bytes(), *text].concat());
        parts.collect::<Vec<_>>().concat()
    }

    #[test]
    fn texts_follow_their_lengths() {
        let texts: [&[u8]; 5] = [b"a", b"", b"\xff", "\u{3000}".as_bytes(), "日本".as_bytes()];
        let page = plain(&texts);
        let mut spans = [Span::default(); 5];
        let mut odd = Vec::new();
        let mut note = |place, oddity| odd.push((place, oddity == Oddity::Blank));
        each_text(&page, 0..page.len(), 0, &mut spans, &mut note).expect("texts");
        assert_eq!(odd, [(1, true), (2, false), (3, true)]);
        let found: Vec<_> = spans
            .iter()
            .map(|span| span.decode(&page).into_owned())
            .collect();
        assert_eq!(found, ["a", "", "", "\u{3000}", "日本"]);
        for length in 0..page.len() {
            assert!(each_text(&page, 0..length, 0, &mut spans, |_, _| {}).is_err());
        }
    }

    #[test]
    fn values_move_to_their_rows() {
        let span = |at: usize| Span::plain(at..at + 1);
        let none = Span::default();
        let mut spans = [span(1), span(2), span(3), none, none, none];
        assert_eq!(spread(&mut spans, &[1, 2, 4], 10), Ok(vec![10, 13, 15]));
        assert_eq!(spans, [none, span(1), span(2), none, span(3), none]);
        assert_eq!(spread(&mut spans, &[], 0), Ok(vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(spans, [none; 6]);
    }

    #[test]
    fn numbers_of_entries_are_looked_up() {
        let dictionary = Dictionary {
            spans: (0..3).map(|at| Span::plain(at..at + 1)).collect(),
            oddities: vec![Oddity::None, Oddity::Blank, Oddity::None],
        };
        // Of 2 bits: three times 2, then 0, 1, 2 and five more.
        let bytes = [2, 6, 2, 3, 0b10_01_00, 0];
        let mut spans = [Span::default(); 6];
        let mut odd = Vec::new();
        let found = dictionary.look_up(&bytes, &mut spans, |place, _| odd.push(place));
        assert_eq!((found, &odd[..]), (Ok(()), &[4][..]));
        let starts: Vec<usize> = spans.iter().map(|span| span.start()).collect();
        assert_eq!(starts, [2, 2, 2, 0, 1, 2]);
        for bad in [&[][..], &[2], &[2, 12, 3], &[33, 12, 0], &[2, 6, 2]] {
            assert!(dictionary.look_up(bad, &mut spans, |_, _| {}).is_err());
        }
        assert_eq!(dictionary.look_up(&[], &mut [], |_, _| {}), Ok(()));
    }
}

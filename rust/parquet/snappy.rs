//! Decompresses Snappy, as fast as its usual decoders in C++ and nearly twice as fast as the crate
//! `snap`, whose branches on short elements the processor cannot foretell.
//!
//! Format: <https://github.com/google/snappy/blob/main/format_description.txt>.

use crate::cancel::Ticks;

/// The bytes that are copied at once, whatever the length of an element.
const BLOCK: usize = 32;
/// The longest element that has no length of its own behind its tag.
const LONGEST: usize = 2 * BLOCK;
/// So far from the end of either side the quick loop stops: what it reads and writes of an element,
/// and more than is needed of it, lies before.
const MARGIN: usize = LONGEST + BLOCK;

/// What the tag of an element says.
#[derive(Clone, Copy)]
struct Element {
    /// Its bytes after decompression; more than [`LONGEST`] if the quick loop leaves it out.
    length: u8,
    /// The upper bits of the offset of a copy; for a literal more than its length.
    offset: u16,
}

/// By the tag.
static ELEMENTS: [Element; 256] = elements();

/// By the two lower bits of the tag: the bits of the next two bytes that belong to the offset.
const LOWER: [u16; 4] = [0, 0xff, 0xffff, 0xffff];

const fn elements() -> [Element; 256] {
    let left_out = Element {
        length: u8::MAX,
        offset: 0,
    };
    let mut table = [left_out; 256];
    let mut tag = 0u8;
    loop {
        let upper = tag >> 2;
        let (length, offset) = match tag & 3 {
            LITERAL if upper < INLINE => (upper + 1, LONGEST as u16),
            1 => ((upper & 7) + 4, ((tag >> 5) as u16) << 8),
            2 => (upper + 1, 0),
            _ => (u8::MAX, 0),
        };
        table[tag as usize] = Element { length, offset };
        if tag == u8::MAX {
            return table;
        }
        tag += 1;
    }
}

/// The lower bits of a literal's tag.
const LITERAL: u8 = 0;
/// From here on the upper bits of a literal's tag say how many bytes its length has.
const INLINE: u8 = 60;

/// Decompresses a block, which must fill `out`. Returns nothing if it does not, or is damaged.
pub fn decompress(compressed: &[u8], out: &mut [u8]) -> Option<()> {
    let (length, from) = length_of(compressed)?;
    if length != out.len() as u64 {
        return None;
    }
    let (mut at, mut end, mut ticks) = (0, 0, Ticks::default());
    loop {
        (at, end) = short_elements(from, at, out, end)?;
        if at == from.len() {
            return (end == out.len()).then_some(());
        }
        ticks.tick();
        (at, end) = element(from, at, out, end)?;
    }
}

/// Reads the length before the elements. Returns it with these.
fn length_of(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut length = 0;
    for (place, &byte) in bytes.iter().enumerate().take(5) {
        length |= u64::from(byte & 127) << (7 * place);
        if byte < 128 {
            return Some((length, &bytes[place + 1..]));
        }
    }
    None
}

/// Decompresses elements up to one that is long or near the end. `at` is the place of the first, and
/// `end` how much of `out` is filled; returns both for what follows.
///
/// The place of the next tag and the source of the bytes depend on the tag, but no branch does: tags
/// follow each other at random. So whole blocks are copied, and the next element writes over what was
/// too much.
fn short_elements(
    from: &[u8],
    mut at: usize,
    out: &mut [u8],
    mut end: usize,
) -> Option<(usize, usize)> {
    let last_at = from.len().saturating_sub(MARGIN);
    let last_end = out.len().saturating_sub(MARGIN);
    while at < last_at && end < last_end {
        let &[tag, low, high] = from[at..].first_chunk()?;
        let Element { length, offset } = ELEMENTS[usize::from(tag)];
        let length = usize::from(length);
        if length > LONGEST {
            break;
        }
        let lower = u16::from_le_bytes([low, high]) & LOWER[usize::from(tag & 3)];
        let offset = usize::from(offset | lower);
        let is_literal = tag & 3 == LITERAL;
        if offset < length {
            repeat(out, end, offset, length)?;
        } else {
            // Where there is no such place, it lies behind all.
            let before = end.wrapping_sub(offset);
            let source = if is_literal { from } else { &*out };
            let start = if is_literal { at + 1 } else { before };
            let block: [u8; BLOCK] = *source.get(start..)?.first_chunk()?;
            *out[end..].first_chunk_mut()? = block;
            if length > BLOCK {
                let source = if is_literal { from } else { &*out };
                let block: [u8; BLOCK] = *source.get(start + BLOCK..)?.first_chunk()?;
                *out[end + BLOCK..].first_chunk_mut()? = block;
            }
        }
        // Not out of the table, whose answer would come later.
        let upper = usize::from(tag >> 2);
        at += if is_literal {
            upper + 2
        } else {
            usize::from(tag & 3) + 1
        };
        end += length;
    }
    Some((at, end))
}

/// Decompresses any one element.
fn element(from: &[u8], at: usize, out: &mut [u8], end: usize) -> Option<(usize, usize)> {
    let (&tag, rest) = from.get(at..)?.split_first()?;
    let upper = tag >> 2;
    let number = |bytes: usize| {
        let bytes = rest.get(..bytes)?.iter().rev();
        Some(bytes.fold(0u64, |number, &byte| number << 8 | u64::from(byte)))
    };
    if tag & 3 == LITERAL {
        let extra = usize::from(upper.saturating_sub(INLINE - 1));
        let length = if extra > 0 {
            number(extra)?
        } else {
            upper.into()
        };
        let length = usize::try_from(length).ok()?.checked_add(1)?;
        let bytes = rest.get(extra..)?.get(..length)?;
        let behind = end.checked_add(length)?;
        out.get_mut(end..behind)?.copy_from_slice(bytes);
        return Some((at + 1 + extra + length, behind));
    }
    let (length, offset, extra) = match tag & 3 {
        1 => ((upper & 7) + 4, u64::from(tag >> 5) << 8 | number(1)?, 1),
        2 => (upper + 1, number(2)?, 2),
        _ => (upper + 1, number(4)?, 4),
    };
    let length = usize::from(length);
    repeat(out, end, usize::try_from(offset).ok()?, length)?;
    Some((at + 1 + extra, end + length))
}

/// Writes `length` bytes at `end`, each of which is the one `offset` bytes before it.
fn repeat(out: &mut [u8], end: usize, offset: usize, length: usize) -> Option<()> {
    let start = end.checked_sub(offset).filter(|_| offset > 0)?;
    let part = out.get_mut(start..end.checked_add(length)?)?;
    for place in offset..part.len() {
        part[place] = part[place - offset];
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of which some repeat, at all distances.
    fn samples() -> Vec<Vec<u8>> {
        let mut state = 1u64;
        let mut random = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize
        };
        let mut samples = vec![vec![], b"a".to_vec(), vec![7; 100_000]];
        for size in [10, 97, 1000, 100_000] {
            samples.push((0..size).map(|_| random() as u8).collect());
            let mut text = Vec::new();
            while text.len() < size {
                let (length, far) = (random() % 80, random() % 3000 + 1);
                if far < text.len() && random() % 2 == 0 {
                    (0..length).for_each(|_| text.push(text[text.len() - far]));
                } else {
                    (0..length % 20).for_each(|_| text.push(random() as u8));
                }
            }
            samples.push(text);
        }
        samples
    }

    #[test]
    fn what_another_encoder_writes_is_read() {
        for sample in samples() {
            let compressed = snap::raw::Encoder::new().compress_vec(&sample);
            let compressed = compressed.expect("memory");
            let mut out = vec![0; sample.len()];
            assert_eq!(decompress(&compressed, &mut out), Some(()));
            assert!(out == sample);
            let mut longer = vec![0; sample.len() + 1];
            assert_eq!(decompress(&compressed, &mut longer), None);
        }
    }

    #[test]
    fn what_is_damaged_is_read_as_by_another_decoder() {
        for sample in samples().iter().filter(|sample| sample.len() < 2000) {
            let compressed = snap::raw::Encoder::new().compress_vec(sample);
            let compressed = compressed.expect("memory");
            for place in 0..compressed.len() {
                for flip in [1, 4, 128, 255] {
                    let mut damaged = compressed.clone();
                    damaged[place] ^= flip;
                    let mut out = vec![0; sample.len()];
                    let found = decompress(&damaged, &mut out).map(|()| out);
                    let mut expected = vec![0; sample.len()];
                    let theirs = snap::raw::Decoder::new().decompress(&damaged, &mut expected);
                    let is_whole = theirs.is_ok_and(|length| length == sample.len());
                    assert_eq!(found, is_whole.then_some(expected), "{place} {flip}");
                }
                let mut out = vec![0; sample.len()];
                assert_eq!(decompress(&compressed[..place], &mut out), None);
            }
        }
    }

    #[test]
    fn elements_that_encoders_do_not_write_are_read() {
        // 70 letters with their length in two bytes, a copy with an offset of four, and one of a
        // letter by 9 bytes.
        let letters: Vec<u8> = (0..70).map(|i| b'a' + i % 26).collect();
        let mut compressed = vec![89, 61 << 2, 69, 0];
        compressed.extend(&letters);
        compressed.extend([9 << 2 | 3, 70, 0, 0, 0, 5 << 2 | 1, 1]);
        let expected = [&letters[..], &letters[..10], &[letters[9]; 9]].concat();
        let mut out = vec![0; 89];
        assert_eq!(decompress(&compressed, &mut out), Some(()));
        assert_eq!(out, expected);
    }
}

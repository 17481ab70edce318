//! Finds the next byte of a string that needs attention: most bytes of a file are passed over here.

/// Most names and ids end within this many bytes. A function call pays only for longer texts.
const SHORT: usize = 16;

/// Returns the offset, from `at` on, of the first special byte: a quote, a backslash or a control
/// character, which a JSON string must escape. Returns the length if there is none.
#[inline]
pub fn next_special(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let (head, tail) = rest.split_at(rest.len().min(SHORT));
    let plain = plain_words(head);
    if plain < SHORT {
        return at + plain;
    }
    at + SHORT + plain_long(tail)
}

/// Returns the number of bytes before the first special one.
fn plain_long(bytes: &[u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2.
        return unsafe { avx2::plain(bytes) };
    }
    plain_words(bytes)
}

/// Like [`plain_long`], eight bytes at a time, on any machine.
#[inline]
fn plain_words(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks();
    for (i, &word) in words.iter().enumerate() {
        let flags = flags(u64::from_le_bytes(word));
        if flags != 0 {
            return i * 8 + flags.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |&byte: &u8| byte == b'"' || byte == b'\\' || byte < 0x20;
    let left = rest.iter().position(is_special).unwrap_or(rest.len());
    bytes.len() - rest.len() + left
}

/// Returns a word with the upper bit of each special byte set. A borrow may also set the bit of a
/// byte above a special one, but never of a byte below.
#[inline]
fn flags(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (is(b'"') | is(b'\\') | below(word, 0x20)) & (ONES << 7)
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_min_epu8, _mm256_movemask_epi8,
        _mm256_or_si256, _mm256_set1_epi8,
    };

    const BLOCK: usize = size_of::<__m256i>();

    /// Like [`super::plain_long`], 32 bytes at a time.
    #[target_feature(enable = "avx2")]
    pub fn plain(bytes: &[u8]) -> usize {
        for (i, block) in bytes.as_chunks().0.iter().enumerate() {
            let flags = flags(block);
            if flags != 0 {
                return i * BLOCK + flags.trailing_zeros() as usize;
            }
        }
        // The last block overlaps the one before, which has no special byte.
        match bytes.last_chunk() {
            Some(block) => bytes.len() - BLOCK + flags(block).trailing_zeros() as usize,
            None => super::plain_words(bytes),
        }
    }

    /// Returns a bit for each special byte of a block.
    #[target_feature(enable = "avx2")]
    fn flags(block: &[u8; BLOCK]) -> u32 {
        // SAFETY: the load stays inside the block, and needs no alignment.
        let block = unsafe { _mm256_loadu_si256(block.as_ptr().cast()) };
        let is = |byte: u8| _mm256_cmpeq_epi8(block, _mm256_set1_epi8(byte as i8));
        let control = _mm256_cmpeq_epi8(_mm256_min_epu8(block, _mm256_set1_epi8(0x1f)), block);
        let quoted = _mm256_or_si256(is(b'"'), is(b'\\'));
        _mm256_movemask_epi8(_mm256_or_si256(quoted, control)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specials_are_found_at_every_distance() {
        for special in [b'"', b'\\', b'\n', 0x1f, 0] {
            for distance in 0..150 {
                let mut bytes = vec![b'a'; 150];
                bytes[distance] = special;
                for after in (distance + 1)..150 {
                    // These bytes are neighbours of special ones, or could be changed by a borrow.
                    bytes[after] = [0x20, 0x21, 0x23, 0x5b, 0x5d, 0xff, 0x80, b'"'][after % 8];
                }
                for at in [0, distance / 2, distance] {
                    assert_eq!(next_special(&bytes, at), distance);
                    assert_eq!(at + plain_words(&bytes[at..]), distance);
                }
            }
        }
    }

    #[test]
    fn only_specials_are_found() {
        let plain: Vec<u8> = (0x20..=0xff).filter(|b| !b"\"\\".contains(b)).collect();
        for length in 0..plain.len() {
            assert_eq!(next_special(&plain[..length], 0), length);
            assert_eq!(plain_words(&plain[..length]), length);
        }
        assert_eq!(next_special(&plain, plain.len() + 9), plain.len() + 9);
    }
}

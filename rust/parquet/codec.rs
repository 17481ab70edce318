//! Decompresses pages.

use std::io::Read as _;

use super::{Read, Unread, snappy};

/// CompressionCodec
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    None,
    Snappy,
    Gzip,
    Zstandard,
}

impl Codec {
    /// Returns the codec with a number, if it is read here.
    pub fn of(number: i64) -> Option<Self> {
        Some(match number {
            0 => Self::None,
            1 => Self::Snappy,
            2 => Self::Gzip,
            6 => Self::Zstandard,
            _ => return None,
        })
    }

    /// Tells whether so many bytes can stand for so many others. A false claim is found before
    /// there is memory for it.
    pub fn may_hold(self, compressed: usize, bytes: usize) -> bool {
        // A copy of Snappy takes 3 bytes for up to 64, a match of deflate 2 bits for up to 258, and
        // a block of Zstandard 4 bytes for up to 128 KiB.
        let most = match self {
            Self::None => return compressed == bytes,
            Self::Snappy => 32,
            Self::Gzip => 1040,
            Self::Zstandard => 1 << 15,
        };
        bytes / most <= compressed
    }

    /// Decompresses a page, which must fill `out`.
    pub fn decompress(self, compressed: &[u8], out: &mut [u8]) -> Read<()> {
        let filled = match self {
            Self::None if compressed.len() == out.len() => {
                out.copy_from_slice(compressed);
                true
            }
            Self::None => false,
            Self::Snappy => snappy::decompress(compressed, out).is_some(),
            Self::Gzip => {
                let mut decoder = flate2::read::MultiGzDecoder::new(compressed);
                decoder.read_exact(out).is_ok() && matches!(decoder.read(&mut [0]), Ok(0))
            }
            Self::Zstandard => zstd::bulk::decompress_to_buffer(compressed, out)
                .is_ok_and(|found| found == out.len()),
        };
        filled.then_some(()).ok_or(Unread("a page is damaged"))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_page_has_exactly_the_bytes_that_it_is_said_to_have() {
        let page = b"a page, a page, a page, a page, a page".repeat(9);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&page).expect("memory");
        for (number, compressed) in [
            (0, page.clone()),
            (
                1,
                snap::raw::Encoder::new()
                    .compress_vec(&page)
                    .expect("memory"),
            ),
            (2, gzip.finish().expect("memory")),
            (6, zstd::bulk::compress(&page, 1).expect("memory")),
        ] {
            let codec = Codec::of(number).expect("a codec");
            let mut out = vec![0; page.len()];
            assert_eq!(codec.decompress(&compressed, &mut out), Ok(()));
            assert_eq!(out, page);
            assert!(codec.may_hold(compressed.len(), page.len()));
            for length in [page.len() - 1, page.len() + 1, 0] {
                let mut out = vec![0; length];
                assert!(
                    codec.decompress(&compressed, &mut out).is_err(),
                    "{codec:?}"
                );
            }
            let cut = &compressed[..compressed.len() - 1];
            assert!(codec.decompress(cut, &mut out).is_err(), "{codec:?}");
        }
        assert_eq!(Codec::of(4), None);
        assert!(!Codec::Snappy.may_hold(100, 4000));
        assert!(!Codec::Gzip.may_hold(100, 200_000));
        assert!(!Codec::Zstandard.may_hold(100, 10 << 20));
    }
}

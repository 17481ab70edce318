//! Recognises compressed files by their first bytes, and decompresses Zstandard.

use std::io::BufRead;
use std::path::Path;

use super::foreign::after_skippable_frames;
use super::read::Access;
use crate::error::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstandard,
}

impl Compression {
    /// Recognises the compression by the first bytes.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        const GZIP: &[u8] = &[0x1f, 0x8b];
        const ZSTANDARD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
        if bytes.starts_with(GZIP) {
            return Some(Self::Gzip);
        }
        after_skippable_frames(bytes)
            .starts_with(ZSTANDARD)
            .then_some(Self::Zstandard)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstandard => "zstd",
        }
    }
}

/// The base-2 logarithm of the default window, which is how far back a frame may refer.
const USUAL_WINDOW: u32 = 27;

/// Returns a decoder of Zstandard data.
pub(super) fn zstandard<R: BufRead>(
    path: &Path,
    from: R,
    access: Access,
) -> Result<zstd::Decoder<'static, R>> {
    let mut decoder = zstd::Decoder::with_buffer(from).map_err(Error::io(path))?;
    // The window may be as large as with `zstd --long=31`, but no larger than the limit on the
    // bytes read: a frame may ask for a long window although its text is short.
    let bits = u64::BITS - (access.ceiling().max(1) - 1).leading_zeros();
    let window = bits.clamp(USUAL_WINDOW, 31);
    decoder.window_log_max(window).map_err(Error::io(path))?;
    Ok(decoder)
}

//! Writes large files past the system's cache, because they are flushed to disk at the end anyway.

use std::fs::File;
use std::io::{self, Write};

/// Direct writes need addresses, offsets and lengths that are multiples of the device's block size.
/// This size is a multiple for every device.
const BLOCK: usize = 4096;

/// The bytes that are written at a time. Shorter files are written through the cache.
const PIECE: usize = 1 << 20;

/// A file that is written from start to end in large pieces.
///
/// If the system supports it, pieces go straight from our memory to the device. Copying them to the
/// cache, and from there to disk, takes as much processor time as formatting them.
pub struct Output<'a> {
    file: &'a mut File,
    /// Tells whether direct writes are on. None before the first piece.
    direct: Option<bool>,
    memory: Vec<u8>,
    /// The start of the current piece in `memory`, and its length so far.
    start: usize,
    len: usize,
}

impl<'a> Output<'a> {
    pub fn new(file: &'a mut File) -> Self {
        Self {
            file,
            direct: None,
            memory: Vec::new(),
            start: 0,
            len: 0,
        }
    }

    /// Writes the rest of the last piece.
    pub fn finish(&mut self) -> io::Result<()> {
        set_direct(self.file, false);
        self.file
            .write_all(&self.memory[self.start..self.start + self.len])
    }

    /// Appends a text to the file.
    pub fn write(&mut self, mut text: &[u8]) -> io::Result<()> {
        if self.memory.is_empty() {
            self.memory = vec![0; PIECE + BLOCK];
            self.start = self.memory.as_ptr().align_offset(BLOCK);
        }
        while !text.is_empty() {
            let taken = text.len().min(PIECE - self.len);
            let at = self.start + self.len;
            self.memory[at..at + taken].copy_from_slice(&text[..taken]);
            self.len += taken;
            text = &text[taken..];
            if self.len == PIECE {
                self.write_piece()?;
            }
        }
        Ok(())
    }

    /// Writes a full piece, directly if the system allows it.
    fn write_piece(&mut self) -> io::Result<()> {
        if self.direct.is_none() {
            self.direct = Some(set_direct(self.file, true));
        }
        let mut piece = &self.memory[self.start..self.start + PIECE];
        self.len = 0;
        while self.direct == Some(true) && !piece.is_empty() {
            let written = match self.file.write(piece) {
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Some file systems accept the flag for direct writes but refuse the writes.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => 0,
                Err(error) => return Err(error),
            };
            piece = &piece[written..];
            if written == 0 || written % BLOCK != 0 {
                set_direct(self.file, false);
                self.direct = Some(false);
            }
        }
        self.file.write_all(piece)
    }
}

/// Turns direct writes on or off. Returns true if they are on.
#[cfg(target_os = "linux")]
fn set_direct(file: &File, on: bool) -> bool {
    use std::os::fd::AsRawFd;
    let descriptor = file.as_raw_fd();
    // SAFETY: the descriptor is open as long as `file` is, and no memory is accessed.
    unsafe {
        let flags = libc::fcntl(descriptor, libc::F_GETFL);
        let wanted = if on {
            flags | libc::O_DIRECT
        } else {
            flags & !libc::O_DIRECT
        };
        let done = flags != -1 && libc::fcntl(descriptor, libc::F_SETFL, wanted) != -1;
        on && done
    }
}

#[cfg(not(target_os = "linux"))]
fn set_direct(_: &File, _: bool) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The file is written in parts of uneven length, with and without support for direct writes.
    #[test]
    fn a_file_holds_what_was_written() {
        let memory = Path::new("/dev/shm");
        let folders = [std::env::temp_dir(), memory.to_owned()];
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            for len in [0, 1, BLOCK, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
                let text: Vec<u8> = (0..len).map(|i| (i * i % 251) as u8).collect();
                let parts: Vec<Vec<u8>> = text.chunks(100_003).map(<[u8]>::to_vec).collect();
                let mut file = tempfile::NamedTempFile::new_in(folder).unwrap();
                let mut output = Output::new(file.as_file_mut());
                parts.iter().for_each(|part| output.write(part).unwrap());
                output.finish().unwrap();
                assert!(fs::read(file.path()).unwrap() == text, "{len} bytes");
            }
        }
    }
}

//! Output that is flushed to disk at the end anyway, and so need not pass through the system's cache.

use std::fs::File;
use std::io::{self, Write};

/// Direct writes want memory, places and lengths that are multiples of the device's block; this is
/// one for every device.
const BLOCK: usize = 4096;

/// What is written at a time; shorter files go the usual way.
const PIECE: usize = 1 << 20;

/// A file that is written from its start to its end in large pieces.
///
/// Where the system can, pieces go to the device straight from our memory: copying them to its cache,
/// and from there to disk, takes as much of the processor's time as formatting them.
pub struct Output<'a> {
    file: &'a mut File,
    /// None before the first piece.
    direct: Option<bool>,
    memory: Vec<u8>,
    /// Where in `memory` the piece begins, and how much of it there is.
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

    /// Writes what is left of the last piece.
    pub fn finish(&mut self) -> io::Result<()> {
        set_direct(self.file, false);
        self.file
            .write_all(&self.memory[self.start..self.start + self.len])
    }

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
                // Some file systems agree to direct writes and then refuse them.
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

/// Has writes to a file bypass the system's cache, or not; false where they do not.
#[cfg(target_os = "linux")]
fn set_direct(file: &File, on: bool) -> bool {
    use std::os::fd::AsRawFd;
    let descriptor = file.as_raw_fd();
    // SAFETY: the descriptor is open as long as `file` is, and no memory is involved.
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

    /// Written in uneven parts, whatever the file system makes of direct writes.
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

//! Writes files atomically, and JSON in the format of Python's `json`.

mod output;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::cancel::{check, set_stop_flag, stop_flag};
use crate::error::{Error, Result};
use crate::jsonl::special::next_special;
use output::Output;

/// The number of lines that one task formats.
const LINES_PER_JOB: usize = 256;

/// Writes `path` atomically. `fill` writes to a temporary file in the same folder, which is flushed
/// to disk and renamed. A reader sees the old file or the new one. After an error `path` is
/// unchanged.
pub fn atomically(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let (temporary, mut file) = create_beside(path).map_err(Error::io(path))?;
    let temporary = Temporary(temporary);
    fill(&mut file)
        .and_then(|()| file.sync_all())
        .and_then(|()| temporary.rename(path))
        .and_then(|()| sync_folder(path))
        .map_err(Error::io(path))
}

/// A temporary file. It is removed when dropped, after an error or a stop, unless it was renamed.
struct Temporary(PathBuf);

impl Temporary {
    /// Gives the file its final name.
    fn rename(self, path: &Path) -> io::Result<()> {
        fs::rename(&self.0, path)?;
        mem::forget(self);
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // If the file cannot be removed, nothing more can be done.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes `count` lines atomically; `push` appends the text of a line. Lines are formatted in
/// parallel while the lines before them are written. The buffers are used again, because new memory
/// costs more than the formatting.
///
/// Returns the SHA-256 of the file as hexadecimal text. Reading the file again for it would take as
/// long as writing it, since large files are not in the system's cache.
pub fn lines(
    path: &Path,
    count: usize,
    push: impl Fn(usize, &mut Vec<u8>) + Sync,
) -> Result<String> {
    let blocks = 4 * rayon::current_num_threads();
    let batch = LINES_PER_JOB * blocks;
    let format = |start: usize, blocks: &mut [Vec<u8>]| {
        blocks.par_iter_mut().enumerate().for_each(|(i, block)| {
            block.clear();
            let first = start + i * LINES_PER_JOB;
            for line in first..count.min(first + LINES_PER_JOB) {
                check();
                push(line, block);
                block.push(b'\n');
            }
        });
    };
    let mut digest = Sha256::new();
    let hashed = &mut digest;
    atomically(path, |file| {
        let (formatted, to_write) = mpsc::sync_channel::<Vec<Vec<u8>>>(1);
        let (written, to_use_again) = mpsc::channel();
        thread::scope(|scope| {
            // The writer has its own thread, so that no core waits for the disk instead of
            // formatting.
            let flag = stop_flag();
            let write = move || {
                set_stop_flag(flag);
                let mut output = Output::new(file);
                for blocks in to_write {
                    for block in &blocks {
                        check();
                        hashed.update(block);
                        output.write(block)?;
                    }
                    // The last buffers are not used again.
                    let _ = written.send(blocks);
                }
                output.finish()
            };
            let writer = thread::Builder::new().spawn_scoped(scope, write)?;
            for start in (0..count).step_by(batch) {
                let used = to_use_again.try_recv();
                let mut texts = used.unwrap_or_else(|_| vec![Vec::new(); blocks]);
                format(start, &mut texts);
                if formatted.send(texts).is_err() {
                    break; // The writer has failed; joining it returns the error.
                }
            }
            drop(formatted);
            writer.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    })?;
    Ok(format!("{:x}", digest.finalize()))
}

/// Creates a file next to `path` with a unique name.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    static COUNTER: AtomicUsize = AtomicUsize::new(0);
    let name = path
        .file_name()
        .ok_or(io::ErrorKind::IsADirectory)?
        .to_string_lossy();
    loop {
        let number = COUNTER.fetch_add(1, Relaxed);
        let temporary = path.with_file_name(format!(".{name}.{}-{number}.tmp", process::id()));
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
        {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Flushes the folder to disk, so that the renaming survives a power cut.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

/// Other systems cannot open folders.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Appends a JSON string. Characters beyond ASCII are not escaped.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut copied = 0;
    loop {
        let special = next_special(bytes, copied);
        out.extend_from_slice(&bytes[copied..special]);
        let Some(&byte) = bytes.get(special) else {
            break;
        };
        push_escape(out, byte);
        copied = special + 1;
    }
    out.push(b'"');
}

/// Appends the escape of a special byte.
fn push_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        0..0x20 => b'u',
        _ => byte,
    };
    out.extend_from_slice(&[b'\\', short]);
    if short == b'u' {
        let hex = b"0123456789abcdef";
        let (upper, lower) = (usize::from(byte >> 4), usize::from(byte & 15));
        out.extend_from_slice(&[b'0', b'0', hex[upper], hex[lower]]);
    }
}

/// Appends a finite number. A whole number has no decimal point.
pub fn push_number(out: &mut Vec<u8>, number: f64) {
    /// Up to this number float64 represents every integer.
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    let text = if number.fract() == 0.0 && number.abs() <= MAX_EXACT {
        (number as i64).to_string()
    } else {
        format!("{number:?}")
    };
    out.extend_from_slice(text.as_bytes());
}

/// Appends a list; `push` appends an item.
pub fn push_list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut push: impl FnMut(T, &mut Vec<u8>),
) {
    out.push(b'[');
    for (i, item) in items.into_iter().enumerate() {
        if i > 0 {
            out.extend_from_slice(b", ");
        }
        push(item, out);
    }
    out.push(b']');
}

/// Appends valid JSON on one line, spaced as the rest of the line. Strings and numbers are copied
/// as they are.
pub fn push_one_line(out: &mut Vec<u8>, json: &[u8]) {
    let mut in_string = false;
    let mut escaped = false;
    for &byte in json {
        if in_string {
            out.push(byte);
            in_string = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b',' | b':' => out.extend_from_slice(&[byte, b' ']),
            _ => {
                in_string = byte == b'"';
                out.push(byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::pool::run_while;

    #[test]
    fn strings_round_trip() {
        let text: String = (0..0x100)
            .filter_map(char::from_u32)
            .chain("中😀".chars())
            .collect();
        let mut out = Vec::new();
        push_string(&mut out, &text);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        assert!(out.ends_with("中😀\"".as_bytes()));
    }

    #[test]
    fn numbers_round_trip() {
        for number in [0.0, -1.0, 2.0, 0.1, 2.5, 1e300, 1e-7, f64::MIN_POSITIVE] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            let text = String::from_utf8(out).unwrap();
            assert_eq!(text.parse(), Ok(number));
            assert!(serde_json::from_str::<serde_json::Number>(&text).is_ok());
        }
    }

    #[test]
    fn one_line_is_the_same_value() {
        let json = "{\"a\\\\\" :\n [1 ,\t2.0],\"b\": \"x, \\\": y\",\r\n \"c\":{}}";
        let mut out = Vec::new();
        push_one_line(&mut out, json.as_bytes());
        let expected = r#"{"a\\": [1, 2.0], "b": "x, \": y", "c": {}}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn lines_are_in_order_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers");
        let hash = lines(&path, 5000, |i, out| {
            out.extend_from_slice(i.to_string().as_bytes())
        });
        let expected: String = (0..5000).map(|i| format!("{i}\n")).collect();
        assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(hash.unwrap(), format!("{:x}", Sha256::digest(expected)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_stopped_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers");
        let endless = |_, out: &mut Vec<u8>| out.extend_from_slice(&[b'1'; 1000]);
        let stopped = run_while(|| lines(&path, usize::MAX / 2, endless), || false);
        assert!(matches!(stopped, Err(Error::Stopped)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_failed_write_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();
        let failed = atomically(&path, |file| {
            file.write_all(b"new")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

//! Parquet: bytes that are a file and bytes that are not are read or refused, and whatever is read
//! has its rows in order. What Snappy gives is what its usual decoder gives.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stage2_core::parquet::{Parquet, decompress_snappy};

/// The most rows that are looked at: a few bytes can stand for as many as there is memory for.
const MOST: usize = 1 << 20;

fuzz_target!(|input: &[u8]| {
    snappy(input);
    // Without the ends that every file has, most inputs would be refused at once.
    for bytes in [input.to_vec(), whole(input)] {
        let Ok(file) = Parquet::of(bytes) else { continue };
        let names: Vec<&str> = file.names().filter(|name| file.is_text(name)).collect();
        if file.rows() > MOST {
            continue;
        }
        let Ok(cells) = file.read(&names) else { continue };
        assert_eq!(cells.texts.len(), names.len() * file.rows());
        let (mut is_null, mut is_blank) = (vec![false; cells.texts.len()], Vec::new());
        for rows in [&cells.nulls, &cells.not_utf8, &cells.blank] {
            assert!(rows.is_sorted_by(|a, b| a < b));
        }
        for &row in cells.nulls.iter().chain(&cells.not_utf8) {
            assert!(!std::mem::replace(&mut is_null[row as usize], true));
        }
        for (row, text) in cells.texts.iter().enumerate() {
            assert!(!is_null[row] || text.is_empty());
            let is_space = |c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c);
            if !is_null[row] && text.chars().all(is_space) {
                is_blank.push(row as i64);
            }
        }
        assert_eq!(cells.blank, is_blank);
    }
});

/// Takes the last bytes of an input for the footer of a file.
fn whole(input: &[u8]) -> Vec<u8> {
    let (&first, rest) = input.split_first().unwrap_or((&0, &[]));
    let length = rest.len() * usize::from(first) / 255;
    [b"PAR1", rest, &(length as u32).to_le_bytes(), b"PAR1"].concat()
}

/// Takes an input for a block of Snappy.
fn snappy(input: &[u8]) {
    let Ok(length) = snap::raw::decompress_len(input) else { return };
    // The other decoder reads lengths of more bytes than the format allows.
    if length > MOST || input.iter().take(5).all(|&byte| byte >= 128) {
        return;
    }
    let (mut found, mut expected) = (vec![0; length], vec![0; length]);
    let is_whole = snap::raw::Decoder::new()
        .decompress(input, &mut expected)
        .is_ok_and(|filled| filled == length);
    let filled = decompress_snappy(input, &mut found).is_some();
    assert_eq!(filled, is_whole);
    assert!(!filled || found == expected);
}

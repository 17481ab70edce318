//! Writes entity annotations, in the form that [`Annotations`](super::Annotations) reads.

use std::path::Path;

use super::annotations::CodePoints;
use crate::error::{Error, Result};
use crate::write::{lines, push_list, push_string};

/// Writes a row for each text, atomically, and returns the SHA-256 of the file.
///
/// The spans of text `i` are pairs of code points in `spans`, flat, from `offsets[i]` up to
/// `offsets[i + 1]`. `labels` has the label of each span; one that is empty is not written.
pub fn write_annotations(
    path: &Path,
    texts: &[&str],
    spans: &[i64],
    offsets: &[i64],
    labels: &[&str],
) -> Result<String> {
    let count = spans.len() / 2;
    let rises = offsets.is_sorted() && offsets.first() == Some(&0);
    if !rises || offsets.len() != texts.len() + 1 || offsets.last() != Some(&(count as i64)) {
        let message = format!(
            "the offsets do not fit {} texts and {count} spans; expected one for each text, rising \
             from 0, and the number of spans after them",
            texts.len()
        );
        return Err(Error::Usage(message));
    }
    if labels.len() != count {
        let message = format!("there are {} labels for {count} spans", labels.len());
        return Err(Error::Usage(message));
    }
    let of = |text: usize| offsets[text] as usize..offsets[text + 1] as usize;
    let (pairs, _) = spans.as_chunks::<2>();
    for (text, written) in texts.iter().enumerate() {
        crate::cancel::check();
        if of(text).is_empty() {
            continue;
        }
        let length = CodePoints::of(written).len() as i64;
        let wrong = |&[start, end]: &[i64; 2]| start < 0 || start >= end || end > length;
        if let Some([start, end]) = pairs[of(text)].iter().find(|span| wrong(span)) {
            return Err(Error::Usage(format!(
                "text {text} has a span {start}..{end}; expected 0 <= start < end <= {length}, its \
                 length in code points"
            )));
        }
    }
    lines(path, texts.len(), |text, out| {
        let places = CodePoints::of(texts[text]);
        out.extend_from_slice(b"{\"text\": ");
        push_string(out, texts[text]);
        out.extend_from_slice(b", \"targets\": ");
        push_list(out, of(text), |i, out| {
            let [start, end] = pairs[i];
            out.extend_from_slice(b"{\"span_text\": ");
            push_string(out, places.slice(start as usize, end as usize));
            let edges = format!(", \"char_start\": {start}, \"char_end\": {end}");
            out.extend_from_slice(edges.as_bytes());
            if !labels[i].is_empty() {
                out.extend_from_slice(b", \"label\": ");
                push_string(out, labels[i]);
            }
            out.push(b'}');
        });
        out.push(b'}');
    })
}

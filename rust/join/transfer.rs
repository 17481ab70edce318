//! Moves the spans of an annotation to the text it belongs to.

use crate::white_space::{OffsetMap, normalise};

/// Maps code points of an annotation's text to those of another text that contains it, or is
/// contained in it, white space aside.
pub struct Transfer {
    annotation: OffsetMap,
    text: OffsetMap,
    /// The code point of the text at which the annotation starts; negative if the text starts
    /// inside the annotation.
    shift: isize,
}

impl Transfer {
    /// Finds the first place where one text contains the other. Returns none if neither does.
    pub fn between(annotation: &str, text: &str) -> Option<Self> {
        Some(Self {
            shift: shift(&normalise(annotation), &normalise(text))?,
            annotation: OffsetMap::of(annotation),
            text: OffsetMap::of(text),
        })
    }

    /// Maps a span of the annotation to the text. Returns none if it does not lie inside the text.
    pub fn span(&self, span: [usize; 2]) -> Option<[usize; 2]> {
        let [start, end] = self.annotation.to_normal(span)?;
        self.text.to_original([
            start.checked_add_signed(self.shift)?,
            end.checked_add_signed(self.shift)?,
        ])
    }
}

/// Returns the offset of the annotation in the text, both normalised, in code points.
fn shift(annotation: &str, text: &str) -> Option<isize> {
    let code_points = |text: &str| text.chars().count() as isize;
    match text.find(annotation) {
        Some(start) => Some(code_points(&text[..start])),
        None => Some(-code_points(&annotation[..annotation.find(text)?])),
    }
}

/// Appends the spans of `annotation` that lie inside `text`, in code points of the original `text`.
pub fn transfer(annotation: &str, text: &str, spans: &[[i64; 2]], out: &mut Vec<[i64; 2]>) {
    if annotation == text {
        out.extend_from_slice(spans);
        return;
    }
    let Some(way) = Transfer::between(annotation, text) else {
        return;
    };
    out.extend(spans.iter().filter_map(|&[start, end]| {
        let span = [usize::try_from(start).ok()?, usize::try_from(end).ok()?];
        way.span(span).map(|moved| moved.map(|at| at as i64))
    }));
}

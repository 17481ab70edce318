//! Spans of an annotation, moved to the text it belongs to.

use crate::white_space::{OffsetMap, normalise};

/// The way from code points of an annotation's text to code points of another text that contains
/// it or is contained in it, white space aside.
pub struct Transfer {
    annotation: OffsetMap,
    text: OffsetMap,
    /// Where the annotation starts in the text; negative where the text starts in the annotation.
    shift: isize,
}

impl Transfer {
    /// None where neither text contains the other. Of several places the first is taken.
    pub fn between(annotation: &str, text: &str) -> Option<Self> {
        Some(Self {
            shift: shift(&normalise(annotation), &normalise(text))?,
            annotation: OffsetMap::of(annotation),
            text: OffsetMap::of(text),
        })
    }

    /// The span's place in the text; none where it does not lie inside it.
    pub fn span(&self, span: [usize; 2]) -> Option<[usize; 2]> {
        let [start, end] = self.annotation.to_normal(span)?;
        self.text.to_original([
            start.checked_add_signed(self.shift)?,
            end.checked_add_signed(self.shift)?,
        ])
    }
}

fn shift(annotation: &str, text: &str) -> Option<isize> {
    let code_points = |text: &str| text.chars().count() as isize;
    match text.find(annotation) {
        Some(start) => Some(code_points(&text[..start])),
        None => Some(-code_points(&annotation[..annotation.find(text)?])),
    }
}

/// Appends the spans of `annotation` that lie inside `text`, in code points of `text` as it stands.
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

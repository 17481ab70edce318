//! Takes columns without a fault as they are.

use rayon::prelude::*;

use super::{Cell, Cells, ChunkColumns, QUESTIONS, QuestionColumns, ROWS_PER_JOB};
use crate::cancel::check;
use crate::corpus::{Chunks, Given, Questions, Span, TextColumn, Titles, concat};
use crate::error::Result;
use crate::memory::with_capacity;

/// Returns the chunks if no row has a fault.
pub fn chunks(columns: &ChunkColumns<'_>, use_of_titles: Titles) -> Option<Chunks> {
    let rows = columns.texts.rows();
    let texts = own(columns.texts, Numbers::Refused)?;
    let titles = optional(columns.titles, rows)?;
    let ids = match columns.ids {
        Some(ids) => own(ids, Numbers::Written)?,
        None => own(&RowNumbers(rows), Numbers::Written)?,
    };
    Chunks::of_columns(ids, texts, titles, use_of_titles)
}

/// Returns the questions if no row has a fault, and each has an id. Each chunk must have an id of
/// its own.
pub fn questions(columns: &QuestionColumns<'_>) -> Result<Option<Questions>> {
    let given = || {
        Some(Given {
            questions: own(columns.questions, Numbers::Refused)?,
            ids: own(columns.ids?, Numbers::Written)?,
            answers: optional(columns.answers, columns.questions.rows())?,
        })
    };
    match given() {
        Some(given) => Questions::of_columns(QUESTIONS, given, columns.judged),
        None => Ok(None),
    }
}

/// The use of a number in a column of texts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// It is a fault.
    Refused,
    /// Its digits are the text, as of an id.
    Written,
}

/// The numbers of rows, from 0.
struct RowNumbers(usize);

impl Cells for RowNumbers {
    fn rows(&self) -> usize {
        self.0
    }

    fn get(&self, row: usize) -> Cell<'_> {
        Cell::Number(row as i128)
    }
}

/// Like [`own`], for texts that may be missing; the empty string stands for none.
fn optional(column: Option<&dyn Cells>, rows: usize) -> Option<TextColumn> {
    match column {
        Some(column) => own(column, Numbers::Refused),
        None => Some(TextColumn::from_iter([""; 0]).padded(rows)),
    }
}

/// Returns a column of texts that refers to no file: the same, or a copy in which the empty string
/// stands for a missing text, and which keeps no bytes that belong to other texts. Returns nothing if there is a number that is refused.
fn own(column: &dyn Cells, numbers: Numbers) -> Option<TextColumn> {
    if let Some(texts) = column.texts()
        && texts.owns_its_texts()
        && !texts.is_sparse()
    {
        return Some(texts.clone());
    }
    let rows: Vec<usize> = (0..column.rows()).collect();
    let jobs: Option<Vec<(Vec<u8>, Vec<usize>)>> = rows
        .par_chunks(ROWS_PER_JOB)
        .map(|rows| {
            let (mut bytes, mut lengths) = (Vec::new(), Vec::with_capacity(rows.len()));
            for &row in rows {
                check();
                let before = bytes.len();
                match column.get(row) {
                    Cell::Missing => {}
                    Cell::Text(text) => bytes.extend_from_slice(text.as_bytes()),
                    Cell::Number(_) if numbers == Numbers::Refused => return None,
                    Cell::Number(number) => bytes.extend_from_slice(number.to_string().as_bytes()),
                }
                lengths.push(bytes.len() - before);
            }
            Some((bytes, lengths))
        })
        .collect();
    let jobs = jobs?;
    let mut spans = with_capacity(column.rows());
    let mut end = 0;
    for &length in jobs.iter().flat_map(|(_, lengths)| lengths) {
        spans.push(Span::plain(end..end + length));
        end += length;
    }
    Some(TextColumn::of_bytes(
        concat(&jobs, |(bytes, _)| bytes),
        spans,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::Judgements;

    struct Own(TextColumn);

    impl Cells for Own {
        fn rows(&self) -> usize {
            self.0.len()
        }

        fn get(&self, row: usize) -> Cell<'_> {
            Cell::Text(self.0.get(row))
        }

        fn texts(&self) -> Option<&TextColumn> {
            Some(&self.0)
        }
    }

    impl Cells for Vec<Cell<'_>> {
        fn rows(&self) -> usize {
            self.len()
        }

        fn get(&self, row: usize) -> Cell<'_> {
            self[row].clone()
        }
    }

    fn own(texts: &[&str]) -> Own {
        Own(texts.iter().collect())
    }

    fn taken(texts: &dyn Cells, ids: &dyn Cells, titles: Option<&dyn Cells>) -> Option<Chunks> {
        let columns = ChunkColumns {
            texts,
            ids: Some(ids),
            titles,
        };
        chunks(&columns, Titles::Joined)
    }

    #[test]
    fn chunks_without_a_fault_are_taken() {
        let (texts, ids) = (own(&["a", "\u{3000}b"]), own(&["x", "y"]));
        let found = taken(&texts, &ids, Some(&own(&["T", " "]))).expect("no fault");
        assert!(found.texts.iter().eq(["T a", "\u{3000}b"]));
        assert!(found.titles.iter().eq(["T", " "]));
        assert_eq!((found.find("y"), found.find("z")), (Some(1), None));
        let numbers = vec![Cell::Number(-7), Cell::Text("y".into())];
        let found = taken(&texts, &numbers, None).expect("no fault");
        assert!(found.ids.iter().eq(["-7", "y"]));
        assert!(found.titles.iter().eq(["", ""]));
    }

    #[test]
    fn chunks_with_a_fault_are_not() {
        let (texts, ids) = (own(&["a", "b"]), own(&["x", "y"]));
        for bad in [own(&["a", ""]), own(&["a", " \n"])] {
            assert!(taken(&bad, &ids, None).is_none());
            // A title makes a text of a blank one, which the reader of files knows how.
            assert!(taken(&bad, &ids, Some(&own(&["T", "T"]))).is_none());
        }
        for bad in [own(&["x", ""]), own(&["x", "x"])] {
            assert!(taken(&texts, &bad, None).is_none());
        }
        let with_number = vec![Cell::Text("a".into()), Cell::Number(1)];
        let with_none = vec![Cell::Text("a".into()), Cell::Missing];
        assert!(taken(&with_number, &ids, None).is_none());
        assert!(taken(&texts, &ids, Some(&with_number)).is_none());
        assert!(taken(&with_none, &ids, None).is_none());
        assert!(taken(&texts, &with_none, None).is_none());
        assert!(taken(&own(&[]), &own(&[]), None).is_none());
    }

    #[test]
    fn questions_are_taken_if_all_is_right() {
        let (texts, ids, answers) = (own(&["a?", "b?"]), own(&["x", "y"]), own(&["", "no"]));
        let asked = |texts: &Own, ids: Option<&Own>, chunks: &[i64], grades: Option<&[f64]>| {
            let columns = QuestionColumns {
                questions: texts,
                ids: ids.map(|ids| ids as &dyn Cells),
                answers: Some(&answers),
                judged: Judgements {
                    offsets: &[0, 1, chunks.len() as i64],
                    chunks,
                    grades,
                },
            };
            questions(&columns).expect("there are rows")
        };
        let found = asked(&texts, Some(&ids), &[3, 1, 0], Some(&[2.0, 0.0, 1.0]));
        let found = found.expect("no fault");
        assert_eq!(
            (&found.relevant[..], &found.offsets[..]),
            (&[3, 0][..], &[0, 1, 2][..])
        );
        assert_eq!(
            (&found.grades.values[..], found.not_relevant),
            (&[2.0, 1.0][..], 1)
        );
        assert!(found.answers.iter().eq(["", "no"]));
        assert_eq!(found.source.row_at(found.rows[1].start), found.rows[1]);

        let bad = [own(&["a?", " "]), own(&["", "b?"])];
        assert!(
            bad.iter()
                .all(|bad| asked(bad, Some(&ids), &[0, 1], None).is_none())
        );
        let bad = [own(&["x", ""]), own(&["x", "x"])];
        assert!(
            bad.iter()
                .all(|bad| asked(&texts, Some(bad), &[0, 1], None).is_none())
        );
        assert!(asked(&texts, None, &[0, 1], None).is_none());
        for bad in [&[0, 1, 1][..], &[0]] {
            assert!(asked(&texts, Some(&ids), bad, None).is_none());
        }
        for bad in [[1.0, 0.0], [1.0, 1e-60], [1.0, 1e39]] {
            assert!(asked(&texts, Some(&ids), &[0, 1], Some(&bad)).is_none());
        }
        let many: Vec<i64> = (0..40).chain([7]).collect();
        assert!(asked(&texts, Some(&ids), &many, None).is_none());
        assert!(asked(&texts, Some(&ids), &many[..40], None).is_some());
    }
}

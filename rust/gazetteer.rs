//! Finds the names of a list, a gazetteer, in texts.
//!
//! Texts and names are compared in a [prepared](mod@prepare) form, which leaves out what does not
//! count. A name stands where its form equals that of a part of the text that begins and ends at a
//! [boundary](mod@boundary). Of the places of all names, the leftmost is taken, of several that
//! begin there the longest, and so on behind it: spans never overlap.
//!
//! At each boundary the names are walked as a trie, which an Aho–Corasick automaton is when it is
//! anchored, and the longest that ends at a boundary is kept. Its own leftmost-longest search would
//! not do: where the longest name ends inside a word, a shorter one still counts. Nor does it pay
//! to follow all names at once, since few places of a text are boundaries, and most walks end after
//! a few bytes (`docs/log.md`). The time is that of the text and the walks: for each boundary the
//! bytes that it has in common with the start of some name.

mod boundary;
mod prepare;
mod rows;
#[cfg(test)]
mod tests;

use std::path::Path;

use aho_corasick::automaton::Automaton;
use aho_corasick::automaton::StateID;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};
use rayon::prelude::*;

use crate::cancel::{Ticks, check, sort_unstable_by};
use crate::corpus::{Findings, Spans, TextColumn, concat, offsets};
use crate::dedup::{FirstOccurrences, hash};
use crate::error::{Error, Result, quoted};
use crate::jsonl::{Access, OnError};
use crate::memory::{ensure_available, push, with_capacity};
use prepare::INSIDE;

pub use boundary::is_boundary;
pub use prepare::{Form, Prepared, Rules};
pub use rows::Rows;

/// The number of texts that one task searches.
const TEXTS_PER_JOB: usize = 256;

/// The bytes that the automaton takes at most while it is made, for each byte of a name. Measured:
/// 30 (`docs/log.md`).
const BUILD_BYTES: usize = 96;

/// The bytes that a key takes beside its own.
const KEY_BYTES: usize = 48;

/// Up to this depth the automaton's states are tables of all bytes. Most walks end there.
const DENSE_DEPTH: usize = 3;

/// The bytes of such tables, for each name, or for each start of two bytes if those are fewer.
const DENSE_BYTES: usize = 1 << 10;

/// The number of names that a warning quotes.
const QUOTED: usize = 3;

/// The names to look for, and the automaton that finds them.
#[derive(Debug)]
pub struct Gazetteer {
    pub names: TextColumn,
    /// The label of each name; empty if it has none.
    pub labels: TextColumn,
    pub findings: Findings,
    /// For each pattern of the automaton the index of its name.
    name_of: Vec<usize>,
    automaton: NFA,
    /// The state of the automaton at the start of a name.
    start: StateID,
    rules: Rules,
}

/// The names found in texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub spans: Spans,
    /// For each span the index of its name.
    pub names: Vec<i64>,
}

impl Gazetteer {
    /// Loads a file of names. Names and aliases of fewer than `min_length` characters are left out.
    pub fn load(
        path: &Path,
        rules: Rules,
        min_length: usize,
        on_error: OnError,
        access: Access,
    ) -> Result<Self> {
        let file = path.display().to_string();
        Self::of_rows(
            Rows::read(path, on_error, access)?,
            &file,
            rules,
            min_length,
        )
    }

    /// Makes a gazetteer of the rows of a file.
    pub fn of_rows(rows: Rows, file: &str, rules: Rules, min_length: usize) -> Result<Self> {
        let written = Written::of(&rows);
        // The keys are many small allocations.
        let bytes: usize = written.texts.iter().map(|text| text.len()).sum();
        ensure_available(2 * bytes + KEY_BYTES * written.texts.len());
        let keys: Vec<Vec<u8>> = written
            .row_of
            .par_iter()
            .enumerate()
            .map_init(Prepared::default, |prepared, (i, _)| {
                check();
                prepared.read(written.texts[i].as_ref(), rules);
                prepared.key().to_vec()
            })
            .collect();
        let mut hashes = with_capacity(keys.len());
        hashes.extend(keys.iter().map(|key| hash(key)));
        let firsts = FirstOccurrences::of_each(&hashes, |a, b| keys[a] == keys[b]);

        let mut patterns = with_capacity(keys.len());
        let mut problems = Problems::default();
        for (i, first) in firsts.into_iter().enumerate() {
            check();
            let (row, earlier) = (written.row_of[i], written.row_of[first]);
            let length = String::from_utf8_lossy(&keys[i]).chars().count();
            if length < min_length {
                push(&mut problems.short, i);
            } else if first != i {
                if rows.labels.get(row) != rows.labels.get(earlier) {
                    push(&mut problems.contradicted, (i, first));
                } else if row != earlier && rows.places.is_some() {
                    // In annotations a name may well stand in several cases.
                    push(&mut problems.repeated, (i, first));
                }
            } else {
                if length == 1 {
                    push(&mut problems.single, i);
                }
                patterns.push((&keys[i], row));
            }
        }
        let warnings = problems.warnings(file, &rows, &written, min_length);
        if patterns.is_empty() {
            return Err(Error::Usage(format!(
                "{file}: every name has fewer than {min_length} characters; expected a smaller \
                 min_length"
            )));
        }
        let bytes: usize = patterns.iter().map(|(key, _)| key.len()).sum();
        ensure_available(BUILD_BYTES * bytes + DENSE_BYTES * patterns.len().min(1 << 16));
        // States are laid out in the order of the patterns: names with the same start lie together.
        sort_unstable_by(&mut patterns, |(one, _), (other, _)| one.cmp(other));
        let automaton = NFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .dense_depth(DENSE_DEPTH)
            .build(patterns.iter().map(|(key, _)| key))
            .map_err(|error| {
                Error::Usage(format!("{file}: too many names for one search: {error}"))
            })?;
        check();
        let start = automaton.start_state(Anchored::Yes).map_err(|error| {
            Error::Usage(format!("{file}: the names make no automaton: {error}"))
        })?;
        let mut name_of = with_capacity(patterns.len());
        name_of.extend(patterns.iter().map(|&(_, row)| row));
        let mut findings = rows.findings;
        findings.warnings.extend(warnings);
        Ok(Self {
            names: rows.names,
            labels: rows.labels,
            findings,
            name_of,
            automaton,
            start,
            rules,
        })
    }

    /// Finds the names in each of `texts`. Spans are in code points of the text as it was given.
    pub fn find(&self, texts: &[&str]) -> Found {
        let jobs: Vec<Matches> = texts
            .par_chunks(TEXTS_PER_JOB)
            .map_init(Prepared::default, |prepared, texts| {
                let mut matches = Matches::default();
                for text in texts {
                    check();
                    let before = matches.spans.len();
                    self.search(text, prepared, &mut matches);
                    push(&mut matches.counts, matches.spans.len() - before);
                }
                matches
            })
            .collect();
        Found {
            spans: Spans {
                spans: concat(&jobs, |job| &job.spans),
                offsets: offsets(&concat(&jobs, |job| &job.counts)),
            },
            names: concat(&jobs, |job| &job.names),
        }
    }

    /// Appends the names in a text.
    fn search(&self, text: &str, prepared: &mut Prepared, matches: &mut Matches) {
        prepared.read(text, self.rules);
        let mut places = CodePoints::default();
        let mut ticks = Ticks::default();
        let mut at = 0;
        while at < prepared.bytes.len() {
            ticks.tick();
            let found = if is_edge(text, prepared, at) {
                self.longest(text, prepared, at, &mut ticks)
            } else {
                None
            };
            let Some((end, pattern)) = found else {
                at += 1;
                continue;
            };
            let span = [at, end].map(|edge| places.move_to(text, prepared.origin[edge]));
            push(&mut matches.spans, span);
            push(&mut matches.names, self.name_of[pattern] as i64);
            at = end;
        }
    }

    /// Returns the end and the pattern of the longest name that begins at a byte.
    #[inline]
    fn longest(
        &self,
        text: &str,
        prepared: &Prepared,
        at: usize,
        ticks: &mut Ticks,
    ) -> Option<(usize, usize)> {
        let automaton = &self.automaton;
        let mut state = self.start;
        let mut longest = None;
        for (i, &byte) in prepared.bytes[at..].iter().enumerate() {
            ticks.tick();
            state = automaton.next_state(Anchored::Yes, state, byte);
            if !automaton.is_special(state) {
                continue;
            }
            if automaton.is_dead(state) {
                break;
            }
            if !automaton.is_match(state) {
                continue;
            }
            // A state stands for the names that end there, the longest first. Those that begin
            // later are shorter.
            let pattern = automaton.match_pattern(state, 0);
            let end = at + i + 1;
            if automaton.pattern_len(pattern) == i + 1 && is_edge(text, prepared, end) {
                longest = Some((end, pattern.as_usize()));
            }
        }
        longest
    }
}

/// Tells whether a name may begin or end at a byte of the prepared text.
#[inline]
fn is_edge(text: &str, prepared: &Prepared, at: usize) -> bool {
    let origin = prepared.origin[at];
    origin != INSIDE && is_boundary(text, origin)
}

/// The names found in the texts of a task.
#[derive(Debug, Default)]
struct Matches {
    spans: Vec<[i64; 2]>,
    names: Vec<i64>,
    counts: Vec<usize>,
}

/// Converts ascending byte offsets of a text to code points.
#[derive(Debug, Default)]
struct CodePoints {
    byte: usize,
    count: i64,
}

impl CodePoints {
    fn move_to(&mut self, text: &str, byte: usize) -> i64 {
        self.count += text[self.byte..byte].chars().count() as i64;
        self.byte = byte;
        self.count
    }
}

/// The names and aliases of a file, in its order, each alias after its name.
struct Written<'a> {
    texts: Vec<std::borrow::Cow<'a, str>>,
    row_of: Vec<usize>,
}

impl<'a> Written<'a> {
    fn of(rows: &'a Rows) -> Self {
        let count = rows.names.len() + rows.aliases.len();
        let (mut texts, mut row_of) = (with_capacity(count), with_capacity(count));
        for row in 0..rows.names.len() {
            check();
            texts.push(rows.names.get(row));
            let aliases = rows.alias_offsets[row] as usize..rows.alias_offsets[row + 1] as usize;
            texts.extend(aliases.map(|alias| rows.aliases.get(alias)));
            row_of.resize(texts.len(), row);
        }
        Self { texts, row_of }
    }
}

/// The warnings about the names of a file. Names are indices of [`Written`].
#[derive(Debug, Default)]
struct Problems {
    short: Vec<usize>,
    single: Vec<usize>,
    /// Names that stand earlier with the same label, and that place.
    repeated: Vec<(usize, usize)>,
    /// Names that stand earlier with another label, and that place.
    contradicted: Vec<(usize, usize)>,
}

impl Problems {
    fn warnings(
        &self,
        file: &str,
        rows: &Rows,
        written: &Written<'_>,
        min_length: usize,
    ) -> Vec<String> {
        let place = |i: usize| {
            let line = rows.lines(&[written.row_of[i]])[0];
            line.map_or(String::new(), |line| format!(" in line {line}"))
        };
        let name = |i: usize| quoted(&written.texts[i]);
        let label = |i: usize| match &*rows.labels.get(written.row_of[i]) {
            "" => "no label".to_owned(),
            label => format!("the label {}", quoted(label)),
        };
        let one = |&i: &usize| format!("{}{}", name(i), place(i));
        let repeat =
            |&(i, first): &(usize, usize)| format!("{}{} as{}", name(i), place(i), place(first));
        let contradiction = |&(i, first): &(usize, usize)| {
            let [here, there] = [i, first].map(|i| format!("{}{}", label(i), place(i)));
            format!("{} has {there} and {here}", name(i))
        };
        let said = [
            listed(&self.short, one, |count| {
                format!("{count} names of fewer than {min_length} characters are left out")
            }),
            listed(&self.single, one, |count| {
                format!(
                    "{count} names have one character, and are found wherever it stands by itself \
                     (a min_length of 2 leaves them out)"
                )
            }),
            listed(&self.repeated, repeat, |count| {
                format!("{count} names repeat an earlier one, whose row is used")
            }),
            listed(&self.contradicted, contradiction, |count| {
                format!("{count} names have two labels, of which the first is used")
            }),
        ];
        said.into_iter()
            .flatten()
            .map(|said| format!("{file}: {said}"))
            .collect()
    }
}

/// Says how many items there are, and quotes the first. Says nothing of no items.
fn listed<T>(
    items: &[T],
    quote: impl Fn(&T) -> String,
    count: impl Fn(usize) -> String,
) -> Option<String> {
    let some: Vec<String> = items.iter().take(QUOTED).map(quote).collect();
    let more = match items.len().saturating_sub(QUOTED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    (!items.is_empty()).then(|| format!("{}: {}{more}", count(items.len()), some.join("; ")))
}

//! The file of a gazetteer: names, each with a label and aliases where it has them.
//!
//! What a file holds follows from the end of its name, `.gz` or `.zst` aside. `.txt` has a name on
//! each line. `.tsv` has a line that names the columns `name`, `label` or `type`, and `aliases`,
//! with `|` between aliases. JSONL or a JSON array has rows with the fields of these names, where
//! aliases are a list; or it is a file of annotations, whose names are the texts of its spans.

use std::path::Path;
use std::sync::Arc;

use crate::cancel::check;
use crate::corpus::{Annotations, Field, Fields, Findings, Span, TextColumn, concat, offsets};
use crate::error::{Error, Fault, Reason, Result, quoted};
use crate::jsonl::key_cache::KeyCache;
use crate::jsonl::scan::Kind;
use crate::jsonl::{Access, OnError, Reject, Row, Source};
use crate::memory::push;
use crate::white_space::normalise;

const NAMES: [&str; 5] = ["name", "label", "type", "aliases", "targets"];
const NAME: Field = Field(0, 1);
const LABEL: Field = Field(1, 3);
const ALIASES: Field = Field(3, 4);
const TARGETS: Field = Field(4, 5);

/// Stands between the aliases in a table.
const BETWEEN_ALIASES: u8 = b'|';

const NO_NAME: &str = "the file has no name; expected at least one";

/// The names of a file, in its order. Those of annotations are sorted, each once.
#[derive(Debug)]
pub struct Rows {
    pub names: TextColumn,
    /// The label of each name; empty if it has none.
    pub labels: TextColumn,
    pub aliases: TextColumn,
    /// Where the aliases of each name start, then their end.
    pub alias_offsets: Vec<i64>,
    /// The file and the offset of each row; none for a file of annotations, where one name stands
    /// in many rows.
    pub places: Option<(Arc<Source>, Vec<usize>)>,
    pub findings: Findings,
}

/// How the rows of a file are written.
#[derive(Debug, Clone)]
enum Layout {
    Json,
    /// One name on each line.
    Lines,
    Table(Header),
}

impl Rows {
    /// Reads a file. Bad rows are left out if `on_error` allows it.
    pub fn read(path: &Path, on_error: OnError, access: Access) -> Result<Self> {
        let access = access.copied();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_lowercase();
        let plain = name.trim_end_matches(".gz").trim_end_matches(".zst");
        let ending = plain.rsplit_once('.').map_or("", |(_, ending)| ending);
        let file = path.display().to_string();
        let bytes = || Source::read_names(path, access);
        match ending {
            "txt" => Self::of_lines(Source::of_lines(&file, bytes()?), on_error),
            "tsv" => Self::of_table(Source::of_lines(&file, bytes()?), on_error),
            "json" | "jsonl" | "ndjson" => {
                Self::of_json(Source::from_bytes(&file, bytes()?)?, on_error)
            }
            _ => Err(Error::Usage(format!(
                "{file}: is no gazetteer by the end of its name; expected .txt with a name on each \
                 line, .tsv with a column \"name\", or .jsonl, with .gz or .zst after it or not"
            ))),
        }
    }

    /// Reads a name on each line.
    pub fn of_lines(source: Source, on_error: OnError) -> Result<Self> {
        Self::parse(source, on_error, &Layout::Lines)
    }

    /// Reads a table, whose first line names the columns.
    pub fn of_table(source: Source, on_error: OnError) -> Result<Self> {
        let header = Header::read(&source)?;
        Self::parse(source, on_error, &Layout::Table(header))
    }

    /// Reads JSON rows, of names or of annotations.
    pub fn of_json(source: Source, on_error: OnError) -> Result<Self> {
        let has_targets = source.first_row().is_some_and(|range| {
            let mut fields = Fields::new(source.row(range), &NAMES);
            let read = fields.read(&mut KeyCache::default());
            read.is_ok() && fields.value(TARGETS).is_some() && fields.value(NAME).is_none()
        });
        if has_targets {
            let source = Arc::new(source);
            let annotations = Annotations::read(&source, on_error)?;
            return Self::of_annotations(&annotations, source.name());
        }
        Self::parse(source, on_error, &Layout::Json)
    }

    /// Takes the text of every span for a name.
    fn of_annotations(annotations: &Annotations, file: &str) -> Result<Self> {
        let mut names = Vec::new();
        for (i, text) in annotations.texts.iter().enumerate() {
            check();
            let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let byte = |at: i64| starts.get(at as usize).copied().unwrap_or(text.len());
            for &[start, end] in annotations.spans.of(i) {
                let name = normalise(&text[byte(start)..byte(end)]);
                if !name.is_empty() {
                    push(&mut names, name.into_owned());
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return Err(Error::Usage(format!("{file}: {NO_NAME}")));
        }
        let none = || std::iter::empty::<&str>().collect::<TextColumn>();
        Ok(Self {
            labels: none().padded(names.len()),
            aliases: none(),
            alias_offsets: vec![0; names.len() + 1],
            places: None,
            findings: annotations.findings.clone(),
            names: names.iter().collect(),
        })
    }

    fn parse(source: Source, on_error: OnError, layout: &Layout) -> Result<Self> {
        let source = Arc::new(source);
        let parsed = source.parse(on_error, |columns: &mut Columns, row| match layout {
            Layout::Json => columns.push_json(row),
            Layout::Lines => columns.push_line(row),
            Layout::Table(header) => columns.push_fields(row, header),
        });
        let mut findings = Findings::new(on_error);
        findings.reject(&source, parsed.rejects)?;
        let pieces = &parsed.pieces;
        let names = concat(pieces, |piece| &piece.names);
        if names.is_empty() {
            return Err(match findings.rejected[..] {
                [] => source.error_at(0, Reason::EmptyFile, NO_NAME.into()),
                _ => findings.no_rows_error(&source),
            });
        }
        let column =
            |of: fn(&Columns) -> &Vec<Span>| TextColumn::of_file(&source, concat(pieces, of));
        Ok(Self {
            labels: column(|piece| &piece.labels),
            aliases: column(|piece| &piece.aliases),
            alias_offsets: offsets(&concat(pieces, |piece| &piece.alias_counts)),
            places: Some((Arc::clone(&source), concat(pieces, |piece| &piece.places))),
            names: TextColumn::of_file(&source, names),
            findings,
        })
    }

    /// Returns the lines of some rows, from 1, in any order.
    pub fn lines(&self, rows: &[usize]) -> Vec<Option<usize>> {
        let Some((source, places)) = &self.places else {
            return vec![None; rows.len()];
        };
        let line = |&row: &usize| {
            let fault = Fault::new(places[row], Reason::EmptyName, "");
            let row = places[row]..places[row];
            source
                .locate(vec![Reject { row, fault }])
                .pop()
                .map(|found| found.line)
        };
        rows.iter().map(line).collect()
    }
}

/// The columns of a table.
#[derive(Debug, Clone)]
struct Header {
    /// The offset of the header's line.
    start: usize,
    count: usize,
    name: usize,
    label: Option<usize>,
    aliases: Option<usize>,
}

impl Header {
    /// Reads the first line of a table. Fails if it does not name a column `name`.
    fn read(source: &Source) -> Result<Self> {
        let range = source
            .first_row()
            .ok_or_else(|| source.error_at(0, Reason::EmptyFile, NO_NAME.into()))?;
        let line = &source.bytes()[range.clone()];
        let columns: Vec<_> = line
            .split(|&byte| byte == b'\t')
            .map(|name| name.trim_ascii().to_ascii_lowercase())
            .collect();
        let place = |Field(from, to): Field| {
            let names = NAMES[from..to].iter();
            let mut places = names
                .filter_map(|name| columns.iter().position(|column| column == name.as_bytes()));
            places.next()
        };
        let Some(name) = place(NAME) else {
            let message = format!(
                "the first line is {}; expected the names of the columns: name, and label and \
                 aliases where there are some, with tabs between them. A file with one name on \
                 each line ends in .txt",
                quoted(&String::from_utf8_lossy(line))
            );
            return Err(source.error_at(range.start, Reason::WrongColumns, message));
        };
        Ok(Self {
            start: range.start,
            count: columns.len(),
            name,
            label: place(LABEL),
            aliases: place(ALIASES),
        })
    }
}

/// The columns of a piece of the file.
#[derive(Debug, Default)]
struct Columns {
    places: Vec<usize>,
    names: Vec<Span>,
    labels: Vec<Span>,
    aliases: Vec<Span>,
    alias_counts: Vec<usize>,
    key_cache: KeyCache,
}

impl Columns {
    fn push(&mut self, row: Row<'_>, name: Span, label: Span, aliases: usize) {
        self.places.push(row.start());
        self.names.push(name);
        self.labels.push(label);
        self.alias_counts.push(aliases);
    }

    fn push_json(&mut self, row: Row<'_>) -> Result<(), Box<Fault>> {
        let mut fields = Fields::new(row, &NAMES);
        fields.read(&mut self.key_cache)?;
        let name = fields.text(NAME, Reason::EmptyName)?;
        let label = fields.visible(LABEL)?.unwrap_or_default();
        let before = self.aliases.len();
        let read = fields.value(ALIASES).map_or(Ok(()), |aliases| {
            fields.for_each(ALIASES, aliases, |alias| {
                if !matches!(alias.kind, Kind::String { .. }) {
                    return Err(fields.wrong_type(ALIASES, alias, "a string"));
                }
                let span = Span::of(alias);
                if normalise(&span.decode(row.bytes())).is_empty() {
                    return Err(empty(alias.start, "an alias"));
                }
                self.aliases.push(span);
                Ok(())
            })
        });
        if let Err(fault) = read {
            self.aliases.truncate(before);
            return Err(fault);
        }
        self.push(row, name, label, self.aliases.len() - before);
        Ok(())
    }

    fn push_line(&mut self, row: Row<'_>) -> Result<(), Box<Fault>> {
        let name = Span::plain(row.range());
        if normalise(&name.decode(row.bytes())).is_empty() {
            return Err(empty(row.start(), "the name"));
        }
        self.push(row, name, Span::default(), 0);
        Ok(())
    }

    fn push_fields(&mut self, row: Row<'_>, header: &Header) -> Result<(), Box<Fault>> {
        if row.start() == header.start {
            return Ok(());
        }
        let fields: Vec<Span> = split(row.bytes(), row.range(), b'\t').collect();
        if fields.len() != header.count {
            let message = format!(
                "the line has {} columns; expected {}, as the first line has",
                fields.len(),
                header.count
            );
            return Err(Fault::new(row.start(), Reason::WrongColumns, message));
        }
        let is_empty = |field: Span| normalise(&field.decode(row.bytes())).is_empty();
        let name = fields[header.name];
        if is_empty(name) {
            return Err(empty(name.start(), "the name"));
        }
        let label = header.label.map(|label| fields[label]);
        let label = label.filter(|&label| !is_empty(label)).unwrap_or_default();
        let before = self.aliases.len();
        if let Some(field) = header.aliases.map(|aliases| fields[aliases])
            && !is_empty(field)
        {
            self.aliases
                .extend(split(row.bytes(), field.range(), BETWEEN_ALIASES));
            if let Some(at) = self.aliases[before..]
                .iter()
                .position(|&alias| is_empty(alias))
            {
                let at = self.aliases[before + at].start();
                self.aliases.truncate(before);
                return Err(empty(at, "an alias"));
            }
        }
        self.push(row, name, label, self.aliases.len() - before);
        Ok(())
    }
}

/// Splits a part of the file.
fn split(
    bytes: &[u8],
    part: std::ops::Range<usize>,
    between: u8,
) -> impl Iterator<Item = Span> + '_ {
    let mut start = part.start;
    bytes[part]
        .split(move |&byte| byte == between)
        .map(move |field| {
            let span = Span::plain(start..start + field.len());
            start += field.len() + 1;
            span
        })
}

fn empty(at: usize, what: &str) -> Box<Fault> {
    let message = format!("{what} is empty or only white space; expected text");
    Fault::new(at, Reason::EmptyName, message)
}

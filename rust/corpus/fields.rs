//! The fields of a row: the names they may have, and their types.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::column::Span;
use super::grades::fits_float32;
use crate::error::{Fault, Reason, quoted};
use crate::jsonl::Row;
use crate::jsonl::key_cache::KeyCache;
use crate::jsonl::scan::{Kind, Scanner, Value};
use crate::white_space::is_blank;

type Result<T> = std::result::Result<T, Box<Fault>>;

/// A field: the range of its names in a list of names, from the first number up to the second. If a
/// row has several of these names, the first in the list is used. A value of `null` counts as
/// missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field(pub usize, pub usize);

/// The values that a row has under each of `N` names.
#[derive(Debug)]
pub struct Fields<'a, const N: usize> {
    row: Row<'a>,
    names: &'static [&'static str; N],
    values: [Option<Value>; N],
}

impl<'a, const N: usize> Fields<'a, N> {
    /// Makes the fields of a row that is not read yet.
    pub fn new(row: Row<'a>, names: &'static [&'static str; N]) -> Self {
        Self {
            row,
            names,
            values: [None; N],
        }
    }

    /// Reads the row. If members have the same name, the last one counts. `key_cache` must come
    /// from rows that were read with the same names.
    #[inline]
    pub fn read(&mut self, key_cache: &mut KeyCache) -> Result<()> {
        let Self { row, names, values } = self;
        let find = |key| {
            let key = key_text(row.bytes(), key);
            names.iter().position(|name| name.as_bytes() == &*key)
        };
        row.members(
            |scanner, place| key_cache.read_key(scanner, place, find),
            |rank, value| {
                if let Some(rank) = rank {
                    values[rank] = (value.kind != Kind::Null).then_some(value);
                }
                Ok(())
            },
        )
    }

    pub fn bytes(&self) -> &'a [u8] {
        self.row.bytes()
    }

    /// Returns the value of a field if it is there.
    #[inline]
    pub fn value(&self, Field(from, to): Field) -> Option<Value> {
        self.values[from..to].iter().copied().flatten().next()
    }

    /// Returns the value of a field. Fails if it is missing.
    #[inline]
    pub fn required(&self, field: Field) -> Result<Value> {
        self.value(field).ok_or_else(|| self.missing(field))
    }

    /// Returns a string field if it is there. Fails if it is not a string.
    #[inline]
    pub fn string(&self, field: Field) -> Result<Option<Span>> {
        self.value(field)
            .map(|value| self.as_string(field, value))
            .transpose()
    }

    /// Returns a text field. Fails if it is missing, not a string, or only white space.
    #[inline]
    pub fn text(&self, field: Field, if_empty: Reason) -> Result<Span> {
        let value = self.required(field)?;
        let span = self.as_string(field, value)?;
        self.check_not_empty(field, value, span, if_empty)?;
        Ok(span)
    }

    /// Returns a string field if it is there and has more than white space.
    #[inline]
    pub fn visible(&self, field: Field) -> Result<Option<Span>> {
        let Some(value) = self.value(field) else {
            return Ok(None);
        };
        let span = self.as_string(field, value)?;
        let checked = self.check_not_empty(field, value, span, Reason::EmptyText);
        Ok(checked.is_ok().then_some(span))
    }

    /// Returns an id field if it is there. Fails if it is neither a non-empty string nor an
    /// integer.
    #[inline]
    pub fn id(&self, field: Field) -> Result<Option<Span>> {
        self.value(field)
            .map(|value| self.as_id(field, value))
            .transpose()
    }

    /// Calls `visit` with each element of a list. Fails if the value is not a list.
    pub fn for_each(
        &self,
        field: Field,
        list: Value,
        visit: impl FnMut(Value) -> Result<()>,
    ) -> Result<()> {
        if list.kind != Kind::Array {
            return Err(self.wrong_type(field, list, "a list"));
        }
        Scanner::new(self.row.bytes(), list.start).array(visit)
    }

    /// Converts a value to an integer. One that does not fit an `i64` becomes the nearest that
    /// does.
    pub fn as_integer(&self, field: Field, value: Value) -> Result<i64> {
        if value.kind != Kind::Integer {
            return Err(self.wrong_type(field, value, "an integer"));
        }
        let digits = Span::of(value).decode(self.row.bytes());
        let beyond = if digits.starts_with('-') {
            i64::MIN
        } else {
            i64::MAX
        };
        Ok(digits.parse().unwrap_or(beyond))
    }

    /// Converts a value to a grade. Fails if float32 cannot hold it.
    pub fn as_grade(&self, field: Field, value: Value) -> Result<f64> {
        if !matches!(value.kind, Kind::Integer | Kind::Float) {
            return Err(self.wrong_type(field, value, "a number"));
        }
        let digits = Span::of(value).decode(self.row.bytes());
        let grade = digits.parse().unwrap_or(f64::INFINITY);
        if fits_float32(grade) {
            return Ok(grade);
        }
        let message = format!(
            "an element of {} is {}; expected a number that float32 holds",
            self.name(field),
            quoted(&digits)
        );
        Err(Fault::new(value.start, Reason::NotFinite, message))
    }

    /// Converts a value to an id. Fails if it is neither a non-empty string nor an integer.
    #[inline]
    pub fn as_id(&self, field: Field, value: Value) -> Result<Span> {
        let span = Span::of(value);
        match value.kind {
            Kind::String { .. } if span.is_empty() => Err(Fault::new(
                value.start,
                Reason::EmptyId,
                format!("{} is empty; expected an id", self.name(field)),
            )),
            Kind::String { .. } => Ok(span),
            // JSON has a negative zero; as an id it is 0.
            Kind::Integer if span.decode(self.row.bytes()) == "-0" => Ok(Span::of(Value {
                start: value.start + 1,
                ..value
            })),
            Kind::Integer => Ok(span),
            _ => Err(self.wrong_type(field, value, "a string or an integer")),
        }
    }

    /// Converts a value to a string. Fails if it has another type.
    #[inline]
    pub fn as_string(&self, field: Field, value: Value) -> Result<Span> {
        match value.kind {
            Kind::String { .. } => Ok(Span::of(value)),
            _ => Err(self.wrong_type(field, value, "a string")),
        }
    }

    /// Converts a value to a text. Fails if it is not a string, or only white space.
    pub fn as_text(&self, field: Field, value: Value) -> Result<Span> {
        let span = self.as_string(field, value)?;
        self.check_not_empty(field, value, span, Reason::EmptyText)?;
        Ok(span)
    }

    /// Fails with `reason` if a string is only white space.
    #[inline]
    fn check_not_empty(&self, field: Field, at: Value, span: Span, reason: Reason) -> Result<()> {
        // In nearly every text the first character is visible, which is quick to see.
        let start = &self.row.bytes()[span.start()..at.end - 1];
        if matches!(start.first(), Some(b'!'..=b'[' | b']'..=b'~')) {
            return Ok(());
        }
        let start = start[..start.len().min(4)].utf8_chunks().next();
        let is_visible = |c: char| !(c.is_whitespace() || c.is_control() || c == '\\');
        if start.is_some_and(|start| start.valid().starts_with(is_visible)) {
            return Ok(());
        }
        if is_blank(&span.decode(self.row.bytes())) {
            return Err(Fault::new(
                at.start,
                reason,
                format!(
                    "{} is empty or only white space; expected text",
                    self.name(field)
                ),
            ));
        }
        Ok(())
    }

    /// Returns the fault of a row without a required field.
    #[cold]
    pub fn missing(&self, Field(from, to): Field) -> Box<Fault> {
        let names: Vec<_> = self.names[from..to]
            .iter()
            .map(|name| format!("{name:?}"))
            .collect();
        let message = match &names[..] {
            [name] => format!("the row has no {name}; expected that field"),
            names => format!(
                "the row has none of {}; expected one of them",
                names.join(", ")
            ),
        };
        Fault::new(self.row.start(), Reason::MissingField, message)
    }

    /// Returns the fault of a value of the wrong type.
    #[cold]
    pub fn wrong_type(&self, field: Field, value: Value, expected: &str) -> Box<Fault> {
        let is_part = self
            .value(field)
            .is_some_and(|whole| whole.start < value.start);
        let place = if is_part { "an element of " } else { "" };
        Fault::new(
            value.start,
            Reason::WrongType,
            format!(
                "{place}{} is {}; expected {expected}",
                self.name(field),
                value.kind.name()
            ),
        )
    }

    /// Returns the name that the row uses for a field, in quotes.
    pub fn name(&self, Field(from, to): Field) -> String {
        let used = (from..to).find(|&rank| self.values[rank].is_some());
        format!("{:?}", self.names[used.unwrap_or(from)])
    }
}

/// Counts the values that were not used because the row has another value under a preferred name.
/// The counts are by name.
#[derive(Debug, Default)]
pub struct Ignored(BTreeMap<(&'static str, Vec<&'static str>), usize>);

impl Ignored {
    /// Counts the unused values of a row for these fields.
    #[inline]
    pub fn note<const N: usize>(&mut self, fields: &Fields<'_, N>, of: &[Field]) {
        for field in of {
            let values = &fields.values[field.0..field.1];
            if values.iter().flatten().nth(1).is_some() {
                self.note_field(fields, *field);
            }
        }
    }

    #[cold]
    fn note_field<const N: usize>(&mut self, fields: &Fields<'_, N>, field: Field) {
        // A value that is neither an id nor a text never equals another.
        let text = |value: Value| match value.kind {
            Kind::String { .. } => Some(Span::of(value).decode(fields.row.bytes())),
            Kind::Integer => Some(fields.as_id(field, value).ok()?.decode(fields.row.bytes())),
            _ => None,
        };
        let used = fields.value(field).and_then(text);
        let names = &fields.names[field.0..field.1];
        for (name, value) in names.iter().zip(&fields.values[field.0..field.1]) {
            if value.is_some_and(|value| text(value) != used) {
                *self.0.entry((name, names.to_vec())).or_default() += 1;
            }
        }
    }

    /// Adds up the counts of all pieces.
    pub fn sum(all: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        for (names, count) in all.into_iter().flat_map(|one| one.0) {
            *sum.0.entry(names).or_default() += count;
        }
        sum
    }

    /// Returns a warning for each name with unused values.
    pub fn warnings(&self, file: &str) -> impl Iterator<Item = String> {
        self.0.iter().map(move |((name, names), rows)| {
            let names: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
            format!(
                "{file}: {rows} rows hold another value in {name:?} than in the field that was \
                 used; of {} the first that a row has counts",
                names.join(", ")
            )
        })
    }
}

/// Returns a member's name with its escapes resolved.
#[inline]
pub fn key_text(bytes: &[u8], key: Value) -> Cow<'_, [u8]> {
    if key.kind == (Kind::String { escaped: true }) {
        return Cow::Owned(Span::of(key).decode(bytes).into_owned().into_bytes());
    }
    Cow::Borrowed(&bytes[key.start + 1..key.end - 1])
}

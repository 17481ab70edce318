//! Merges the ground truths of samples that ask the same question: a ground truth of one sample is
//! a ground truth of all, and a negative of none.

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::{
    GROUND_TRUTH_CONTEXTS, GT_CHUNK_IDS, GT_GRADES, MEMBERS, NEGATIVE_CHUNK_IDS, NEGATIVE_CONTEXTS,
    Samples, push_name,
};
use crate::cancel::check;
use crate::corpus::{Graded, SharedGroundTruths, TextColumn, key_text, offsets};
use crate::dedup::{FirstOccurrences, hash};
use crate::error::Result;
use crate::memory::with_capacity;
use crate::same_text::SameText;
use crate::write::push_one_line;

impl Samples {
    /// Merges the ground truths of samples with the same question. They replace the negatives that
    /// equal them by id or text. A negative that is a ground truth of its own sample stays, so that
    /// the audit can find it.
    pub(super) fn share_ground_truths(&mut self) -> Result<()> {
        let asked = SameText::of(self.len(), |i| self.questions.get(i));
        if asked.all_differ() {
            return Ok(());
        }
        let same_text = SameText::of(self.contexts.len(), |context| self.contexts.get(context));
        let kinds: [&[i64]; 2] = [&same_text.first, &first_of_id(&self.context_ids)];
        let shared = SharedGroundTruths::collect(
            &asked,
            |i| Graded {
                items: self.relevant_and_negative(i).0,
                grades: self.grades.of(i),
            },
            &kinds,
            &self.source,
            |i| self.rows[i].start,
        )?;
        let (mut taken_out, mut changed) = (0, Vec::new());
        let (candidates, lengths) = shared.concat_lists(
            self.len(),
            |i| self.candidates_of(i),
            |i, relevant, candidates| {
                let (own, negative) = self.relevant_and_negative(i);
                let added = &relevant[own.len()..];
                candidates.extend_from_slice(relevant);
                if added.is_empty() {
                    candidates.extend_from_slice(negative);
                    return;
                }
                let kept = without_kinds_of(added, negative, &kinds);
                candidates.extend_from_slice(&kept);
                taken_out += negative.len() - kept.len();
                changed.push((i, relevant.len() as i64));
            },
        );
        self.grades = shared.grades(self.len(), &self.grades);
        for (i, num_relevant) in changed {
            self.num_relevant[i] = num_relevant;
            self.changed.insert(i);
        }
        self.candidates = candidates;
        self.offsets = offsets(&lengths);
        self.findings.warnings.extend(shared.warning(&self.source));
        if taken_out > 0 {
            self.findings.warnings.push(format!(
                "{}: {taken_out} negatives are ground truths of another row of their question; \
                 they count as ground truths",
                self.source.name()
            ));
        }
        Ok(())
    }

    /// Appends a sample read from a file whose candidates have changed. Its other members are
    /// copied.
    pub(super) fn push_changed(&self, i: usize, out: &mut Vec<u8>) {
        let (relevant, negative) = self.relevant_and_negative(i);
        let known = |contexts: &[i64]| {
            contexts
                .iter()
                .all(|&context| !self.context_ids.is_blank(context as usize))
        };
        let (mut has_ids, mut has_grades) = (false, false);
        out.push(b'{');
        let row = self.source.row(self.rows[i].clone());
        let scanned = row.object(|key, value| {
            let name = key_text(row.bytes(), key);
            let field = [
                GROUND_TRUTH_CONTEXTS,
                NEGATIVE_CONTEXTS,
                GT_CHUNK_IDS,
                GT_GRADES,
                NEGATIVE_CHUNK_IDS,
            ]
            .into_iter()
            .find(|field| MEMBERS[field.0].as_bytes() == &*name);
            match field {
                // Ids are written only if every text has one.
                Some(GT_CHUNK_IDS) if !known(relevant) => {}
                Some(NEGATIVE_CHUNK_IDS) if !known(negative) => {}
                Some(field) => {
                    push_name(out, field);
                    match field {
                        GROUND_TRUTH_CONTEXTS => self.push_texts(relevant, out),
                        NEGATIVE_CONTEXTS => self.push_texts(negative, out),
                        GT_CHUNK_IDS => self.push_ids(relevant, out),
                        GT_GRADES => self.push_grades(i, out),
                        _ => self.push_ids(negative, out),
                    }
                }
                None => {
                    if out.last() != Some(&b'{') {
                        out.extend_from_slice(b", ");
                    }
                    out.extend_from_slice(&row.bytes()[key.start..key.end]);
                    out.extend_from_slice(b": ");
                    push_one_line(out, &row.bytes()[value.start..value.end]);
                }
            }
            has_ids |= field == Some(GT_CHUNK_IDS);
            has_grades |= field == Some(GT_GRADES);
            Ok(())
        });
        debug_assert!(scanned.is_ok(), "the row was validated when it was read");
        if !has_ids && known(relevant) {
            push_name(out, GT_CHUNK_IDS);
            self.push_ids(relevant, out);
        }
        if !has_grades && !self.grades.is_empty() {
            push_name(out, GT_GRADES);
            self.push_grades(i, out);
        }
        out.push(b'}');
    }
}

/// Returns the items that equal none of `added`. Each of `kinds` maps every item to the first item
/// that equals it.
fn without_kinds_of(added: &[i64], items: &[i64], kinds: &[&[i64]]) -> Vec<i64> {
    let mut kept = items.to_vec();
    for first in kinds {
        let taken: FxHashSet<i64> = added.iter().map(|&item| first[item as usize]).collect();
        kept.retain(|&item| !taken.contains(&first[item as usize]));
    }
    kept
}

/// Returns for each context the first one with the same id, or itself if it has no id.
fn first_of_id(ids: &TextColumn) -> Vec<i64> {
    let mut first = with_capacity(ids.len());
    first.extend(0..ids.len() as i64);
    let given: Vec<usize> = (0..ids.len()).filter(|&i| !ids.is_blank(i)).collect();
    let hashes: Vec<u64> = given
        .par_iter()
        .inspect(|_| check())
        .map(|&i| hash(ids.get(i).as_bytes()))
        .collect();
    let same = |i: usize, j: usize| ids.get(given[i]) == ids.get(given[j]);
    for (&i, original) in given.iter().zip(FirstOccurrences::of_each(&hashes, same)) {
        first[i] = given[original] as i64;
    }
    first
}

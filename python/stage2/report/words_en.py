"""The report's sentences in English."""

from __future__ import annotations

EN: dict[str, str] = {
    "title": "Stage 2: hard examples mined, trained on, and measured",
    "made_by": "stage2 {version}, seed {seed}, started {started}.",
    "not_run": "This step has not run yet: `{command}`.",
    "none": "–",
    # verdict
    "language": "en",
    "better": "**Higher**",
    "same": "**No change**",
    "worse": "**Lower**",
    "verdict": "{judgement} on {count} questions that training never saw, {source}: {changes}.",
    "verdict_change": "{metric} {before} → {after} (chance {chance})",
    "and": ", ",
    "remembered_candidates": "**What the model remembers and what it learned.** Of all {count} "
    "questions, {trained} of them trained on, the shipped model ranks {after} first among their "
    "candidates, up from {before} ({seen}). Models that had not seen a question rank {crossed} "
    "first ({unseen}): that much carries over to new questions, and what lies between the two "
    "was remembered rather than learned.",
    "remembered_corpus": "**What the model remembers and what it learned.** Of all {count} "
    "questions, {trained} of them trained on, the shipped model ranks {after} first in the whole "
    "corpus, up from {before} ({seen}). Models that had not seen a question rank {crossed} "
    "first ({unseen}): that much carries over to new questions, and what lies between the two "
    "was remembered rather than learned.",
    "stage1_shipped": "No candidate beat the stage-1 model on the dev questions, so the "
    "stage-1 model is shipped: before and after are the same model.",
    "nothing_to_train": "No question of the training set was hard, so nothing was trained: the "
    "stage-1 model is shipped, and before and after are the same model.",
    "measured_on_training": "**Warning: measured on the questions trained on.** {seen} of "
    "{count} questions were trained on. These numbers say how well the model "
    "remembers, not how well it will do on new questions.",
    "training_unknown": "**Warning: nothing is known to be held out.** A model file does not "
    "say which questions it was trained on. If these are among them, the numbers say how well "
    "the model remembers.",
    "nothing_held_out": "**Warning: nothing was held out.** No question was trained on, but "
    "none was set aside to measure on either.",
    "no_comparison": "No verdict yet: before and after have not been measured. Run `stage2 run`.",
    "few_questions": "{count} questions are few: a difference within the 95% intervals below "
    "may be chance.",
    # sections
    "data": "Data",
    "samples": "Samples",
    "before_training": "Before training",
    "hard_examples": "Hard examples",
    "training_settings": "Training settings",
    "loss_by_epoch": "Loss by epoch",
    "after_training": "Before and after",
    "time": "Time",
    "files": "Files",
    "how_to_read": "How to read this",
    # columns
    "item": "Item",
    "value": "Value",
    "metric": "Metric",
    "chance": "Chance",
    "before": "Before",
    "after": "After",
    "model": "Model",
    "change": "Change",
    "result": "Result",
    "interval": "95% interval",
    "interval_before": "95% before",
    "interval_after": "95% after",
    "interval_of": "95% {name}",
    "epoch": "Epoch",
    "loss": "Loss",
    "against": "Against {name}",
    "dev_metric": "Dev {metric}",
    "seconds": "Seconds",
    "step": "Step",
    "file": "File",
    "size": "Size",
    "content": "Content",
    # data
    "num_qa": "Question–answer pairs",
    "num_chunks": "Chunks",
    "num_questions": "Different questions",
    "num_annotations": "Texts with entity annotations",
    "annotated_questions": "Questions that they belong to",
    "annotated_chunks": "Chunks that they belong to",
    "annotated_contexts": "Contexts that they belong to",
    "annotated_value": "{equal} of {texts} by equal text, {contained} by containment; "
    "{with_entity} have an entity",
    "source": "Source",
    "source_sample": "the built-in sample (a fictional firm's handbook)",
    "source_files": "files",
    "input_file": "{path}, SHA-256 {hash}…",
    "rejected": "Rows skipped: {reason}",
    # samples
    "num_samples": "Samples",
    "contexts": "Contexts a sample",
    "contexts_value": "ground truth + {negatives} random negatives",
    "contexts_mined": "ground truth + at most {negatives} negatives, mined from the corpus",
    "texts_encoded": "Distinct texts encoded",
    "texts_questions": "Questions as the model sees them",
    "texts_chunks": "Chunks as the model sees them",
    "texts_seen": "{cut} of {texts} cut at {max_length} tokens, {lost} of all tokens lost; "
    "{unknown} of all tokens unknown",
    "texts_seen_of_some": "{cut} of {counted} looked at (of {texts}) cut at {max_length} "
    "tokens, {lost} of all tokens lost; {unknown} of all tokens unknown",
    "texts_unseen": "Warning: more than a tenth of the tokens is cut off or unknown to the "
    "model. It ranks by the rest.",
    "pairs_entity": "Pairs compared by entities",
    "pairs_fallback": "Pairs compared by sentence",
    "split": "Split",
    "split_chunk": "by {rule}: train {train}, dev {dev}, test {test} questions",
    "split_none": "none: trained, chosen and measured on the same {train} questions",
    "rule_group": "chunk group",
    "rule_cut": "chunk group, {cut} shared chunks cut",
    "rule_question": "question, all {cut} shared chunks of large groups cut",
    "rule_given": "a given split",
    "folds": "Folds",
    "folds_value": "by {rule}: {sizes} questions",
    "overlaps": "Groups of questions",
    "overlaps_value": "{groups}, the largest of {largest_group}; {questions_sharing_a_chunk} "
    "questions share a ground-truth chunk, {near_duplicate_pairs} ground-truth chunks nearly "
    "repeat another",
    "leaked": "Leaks, {part}",
    "leaked_value": "**{same_chunk} questions have a ground-truth chunk that a question "
    "trained or chosen on has too, {near_duplicate} one that nearly repeats it**: groups were "
    "too large to place and were cut at their most-shared chunks",
    "leaked_given": "**{same_chunk} questions have a ground-truth chunk that a question "
    "trained or chosen on has too, {near_duplicate} one that nearly repeats it**: the split that "
    "was given has it so",
    "tied": "Questions tied, {part}",
    "tied_value": "{tied} are in groups that share ground-truth chunks and were too large to place",
    "unseen": "Seen ground truths, {part}",
    "unseen_value": "{ground_truths_seen} ground truths are those of questions trained or chosen "
    "on too: they are neither right nor wrong here. {questions_with_no_other} questions have no "
    "other, and are not measured",
    "unseen_none": "**all {ground_truths_seen} ground truths of the {questions_with_no_other} "
    "questions are those of questions trained or chosen on too**: none of them is measured",
    "unseen_none_dev": "**all {ground_truths_seen} ground truths of the {questions_with_no_other} "
    "questions are those of questions trained on too**: they choose the model all the same, which "
    "favours one that remembers",
    "uneven": "Shares, {part}",
    "uneven_value": "not as asked for: groups that stay together, the largest of "
    "{largest_kept_together} questions, come no nearer than {furthest}",
    # metrics
    "mrr": "MRR",
    "ndcg10": "nDCG@10",
    "mean_rank": "Mean rank",
    "ties": "Questions with a tie",
    "among_all_chunks": "Among all {count} chunks.",
    "below_chance": "Top-1 is below chance: the model is worse than drawing lots.",
    "meaning_topk": "share of questions with a ground truth among the first k (Success@k)",
    "meaning_recall": "share of a question's ground truths among the first k, in the mean",
    "meaning_mrr": "mean of 1 / rank of the best ground truth",
    "meaning_ndcg10": "gain of the ground truths among the first 10, less the deeper they rank, "
    "against the best order; grades count",
    "meaning_mean_rank": "mean rank of the best ground truth; a tie counts as the expected rank",
    # hard examples
    "hard_rule": "Rule",
    "hard_rule_value": "the ground truth is not in the top {topk}",
    "num_hard": "Hard examples",
    "trained_on": "Questions trained on",
    "hard_without_negative": "{count} more questions rank below the top {topk}, but have no "
    "negative to train on: the window of ranks, the filters or `--drop-false-negatives` left "
    "none.",
    "no_hard": "No question is hard for this model. Try a smaller `--topk` or more `--negatives`.",
    # settings
    "loss_function": "Loss function",
    "teacher": "Teacher",
    "teacher_told": "{name}: a ground truth first for {share} of the {questions} questions scored",
    "train_on": "Of the training set",
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "learning_rate": "Learning rate",
    "weight_decay": "Weight decay",
    "margin": "Margin",
    "pairs": "Pairs in the loss",
    "similarity": "Similarity",
    "precision": "Precision",
    "dev_share": "Share of dev questions",
    "test_share": "Share of test questions",
    "seed": "Seed",
    "stage1": "stage 1",
    "epoch_number": "epoch {number}",
    "step_number": "step {step} (epoch {epoch})",
    # loss
    "loss_change": "From {first} to {last} the loss changed by {change}.",
    "round_number": "round {number}",
    "round_new": "Round {number} began after epoch {after}, with negatives that the model mined as "
    "it then was: {new} are new.",
    "round_new_of": "Round {number} began after epoch {after}, with negatives that the model mined "
    "as it then was: {new} of {negatives} are new.",
    "dev_questions": "Dev metrics are of {count} questions (chance: Top-1 {top1}, MRR {mrr}).",
    "refitted": "{name}, refitted",
    "shipped_because": "**Shipped: {name}**: {reason}.",
    "candidate": "Candidate",
    "interpolation": "{alpha} of the way to {epoch}",
    "dev_seen": "These dev questions are not held out: training saw them.",
    "not_shipped": "Training has not finished: no model has been chosen yet.",
    "curve": "Loss curve",
    # sets
    "set_test": "held-out test",
    "set_dev": "dev",
    "set_train": "training",
    "set_cross-validated": "cross-validated",
    "set_all": "all",
    "among_candidates": "among their candidates",
    "among_corpus": "over the whole corpus",
    "set_heading": "{count} {set} questions, {source}",
    "held_out": "held out: training saw none of them, and no choice was made on them",
    "cross_validated": "held out: each scored by a model that had not seen it. This measures "
    "the recipe; the model shipped was trained by the same recipe on the ordinary split",
    "evidence": "{metric} {difference} (95% interval {low} to {high}, p {p})",
    "flips": "Top-{k}: {fixed} fixed, {broken} broken (McNemar's p {p})",
    "semicolon": "; ",
    "chosen_on": "NOT held out: the shipped model was chosen on them",
    "seen": "NOT held out: training saw {seen} of the {count}",
    "unknown": "whether training saw them is not known",
    # table of a terminal
    "plain_set": "Questions",
    "plain_source": "Among",
    "plain_count": "n",
    "plain_metric": "{metric} (chance)",
    "plain_value": "{values} ({chance})",
    "plain_training": "Training",
    "plain_test": "test",
    "plain_dev": "dev",
    "plain_train": "train",
    "plain_cross-validated": "cross-validated",
    "plain_all": "all",
    "plain_candidates": "candidates",
    "plain_corpus": "whole corpus",
    "plain_held_out": "held out",
    "plain_chosen_on": "chose the model",
    "plain_seen": "saw {seen} of {count}",
    "plain_unknown": "not known",
    "plain_model": "{side}: {name}",
    "plain_baseline": "{set}: {name}",
    "plain_unseen": "{set}: {what}",
    "plain_training_bm25": "no model",
    "plain_training_untouched_backbone": "untouched",
    # baselines
    "baseline_bm25": "BM25",
    "baseline_untouched_backbone": "untouched backbone",
    # guards
    "elsewhere": "What it has cost elsewhere",
    "guard": "Guard",
    "guard_questions": "Questions",
    "guard_interval": "One-sided 95% ends",
    "guard_range": "{low} to {high}",
    "guard_margin": "Margin",
    "guard_verdict": "Verdict",
    "guard_not_worse": "not worse",
    "guard_worse": "worse",
    "guard_undecided": "undecided",
    "guard_sentence": "Elsewhere, {verdict}: guard {name}, {count} questions that chose nothing, "
    "over its whole corpus: MRR {before} → {after}, difference {difference}, one-sided 95% ends "
    "{low} and {high}, margin {margin}.",
    "guard_unchanged": "Elsewhere, not worse: guard {name}: the model is the one from before, MRR "
    "{before}.",
    "guard_unread": " {share} of its tokens are unknown to the model, which does not read its "
    "language: it can show nothing.",
    "guard_few": " {groups} independent questions cannot show a loss to be below this margin: it "
    "takes {least} or more.",
    "note_guard": "*Not worse*: the lower end is above minus the margin, which was stated "
    "beforehand. *Worse*: the upper end is below 0, and the randomisation test rejects at 5%. "
    "*Undecided*: neither; nothing found is not nothing lost.",
    # why a trial of a sweep went no further
    "sweep_failed": "failed",
    "sweep_worse": "worse than the best: {difference} ({low} to {high})",
    "sweep_no_room": "within noise of the best ({difference}), no room in the budget",
    "sweep_even": "within noise of the winner ({difference})",
    "sweep_not_drawn": "not tried: no room in the budget",
    "sweep_too_long": "not tried: longer than the budget",
    # time
    "stage_init": "Stage-1 model",
    "stage_prepare": "Samples",
    "stage_mine": "Scoring and selection",
    "stage_check": "Look before training",
    "stage_audit": "Audit of negatives",
    "stage_sweep": "Sweep",
    "stage_train": "Training",
    "stage_evaluate": "Evaluation",
    "stage_merge": "Merging",
    "total": "Total",
    "device": "Device",
    "device_value": "{device}, {precision}",
    "cpu": "Processor",
    "versions": "Versions",
    "versions_value": "Python {python}, torch {torch}",
    # files
    "file_constructed": "constructed samples",
    "file_evaluation": "every question before training: order, similarities, rank",
    "file_hard": "hard examples",
    "file_negative_sources": "the source of each mined negative",
    "file_log": "a row an evaluation on dev",
    "file_rounds": "the negatives of each round but the first",
    "file_epoch": "the model after {name}, in the layout that came in",
    "file_checkpoint": "state_dict after {name}",
    "file_best": "state_dict of the shipped model",
    "file_after": "every question after training",
    "file_comparison": "the table above, for programs",
    "file_check": "the page of stage2 check",
    "file_check_json": "what stage2 check found",
    "file_audit": "what is wrong with the negatives, in numbers",
    "file_audit_rows": "the same, a row a finding",
    "file_teacher_scores": "the teacher's score of each candidate, a row a question",
    "file_cross_scores": "each candidate's score of the cross-encoder",
    "file_review": "the most doubtful labels, to be judged in a browser",
    "file_review_rows": "the same pairs as rows, for a model that judges",
    "file_cross_judgements": "the cross-encoder's judgements of these pairs, for stage2 relabel",
    "file_per_question": "every question's rank before and after, and what changed",
    "file_merge": "which models were combined, how, and what each α gave",
    "file_split": "which question is in which part",
    "file_settings": "the settings, to run this again",
    "file_run": "versions, inputs and times",
    "file_summary": "counts and metrics of mining",
    "file_shipped": "the shipped model, a Hugging Face folder",
    "file_query_model": "its trained encoder of questions by itself",
    "file_document_model": "its untouched encoder of documents by itself",
    "file_stage1": "the stage-1 model, a Hugging Face folder",
    "file_rejected": "rows that were skipped, and why",
    "file_sample": "the built-in sample",
    "file_report": "this report",
    # notes
    "note_chance": "*Chance* is what a scorer gets that draws lots among the same candidates.",
    "note_recall": "*Recall@k* is the share of a question's ground truths that are among the first "
    "k, in the mean of all questions.",
    "note_bm25": "BM25 ranks by the words that a question and a text share, without a model: it is "
    "what every search engine has. Over the whole corpus it stands beside the model.",
    "note_untouched_backbone": "The untouched backbone is the encoder that the model was made "
    "from, in its own dimension and with its own pooling: you had it before. The verdict is "
    "against it where it ranks better than stage 1.",
    "note_ties": "A tie is not a win: among equal scores the *expected* rank counts.",
    "note_interval": "The 95% interval is Wilson's, for a share of so many questions: two "
    "results whose intervals overlap widely may differ by luck. It and McNemar's test count "
    "each question by itself: where several ask about one chunk, both claim to know more than "
    "they do. That of MRR is the bootstrap's: all questions of a chunk are drawn together.",
    "note_test": "The verdict is one test named beforehand: of MRR, by swapping before and "
    "after at random (10,000 times, all questions of a chunk together). Were both models "
    "equally good it would say better, or worse, at most 2.5 times in 100. Every other p in "
    "this report is for looking, not for deciding.",
    "note_dev": "The model was chosen as the best on the dev questions, the untrained stage 1 "
    "included; the test questions choose nothing.",
    # the page of `stage2 check`
    "check_title": "Should this model be trained?",
    "check_made_of": "{questions:,} questions, {chunks:,} chunks, the model {model}; stage2 "
    "{version}, seed {seed}.",
    "check_rankings": "How it ranks now",
    "check_rankings_note": "Expected ranks over the whole corpus, before any training. The fusion "
    "is that of reciprocal ranks, model and BM25 alike. A chunk that a run does not name is only "
    "given what it has by BM25.",
    "check_model": "model",
    "check_bm25": "BM25",
    "check_fusion": "fusion",
    "check_headroom": "What is left to gain",
    "check_headroom_note": "Hard: the answer ranks below {topk}. Within reach: it is not first, "
    "but among the first 100, so that training can be expected to move it. Were all of these "
    "first, MRR would rise by {gain}.",
    "check_first": "first already",
    "check_hard": "hard",
    "check_reach": "within reach",
    "check_beyond": "beyond reach",
    "check_questions": "questions",
    "check_share": "share",
    "check_power": "What the questions can show",
    "check_power_note": "By 200 simulated trainings and test sides. A question within reach comes "
    "first with one probability for all; for three that do, another one loses half of its "
    "reciprocal rank, and half of all share the fate of their group. A gain counts as shown if the "
    "test of the verdict finds it, at 5%, in 80% of the simulations.",
    "check_held_out": "held-out questions",
    "check_groups": "groups of them",
    "check_smallest": "smallest gain in MRR that they show",
    "check_power_of": "chance to see a gain of {gain}",
    "check_more": "more questions for a gain of {gain}",
    "check_prompts": "Prompts",
    "check_prompts_note": "The same questions among {chunks:,} chunks, with the prompts below and "
    "without. This check reads them {told}.",
    "check_no_prompts": "No prompts are known, of the model or of this call.",
    "check_told_with": "with them",
    "check_told_without": "without them",
    "check_without": "without",
    "check_with": "with",
    "check_difference": "difference [95% interval]",
    "check_texts": "What the model sees of the texts",
    "check_no_texts": "Not known: no model of ours reads them.",
    "check_past_answers": "Of {questions} questions whose answer stands in a ground truth, the "
    "answers of {share} lie past the limit.",
    "check_past_tokens": "Of a question's ground truth, {share} of the tokens lie past the limit "
    "(the mean of {questions} questions).",
    "check_past_difference": "In the {groups} groups about the same chunks that have answers on "
    "both sides of the limit, those past it have an MRR that differs by {difference} "
    "[{low}, {high}] (p {p}).",
    "check_role": "texts",
    "check_cut": "cut",
    "check_limit": "limit, tokens",
    "check_lost": "tokens lost",
    "check_lost_each": "lost of each that is cut",
    "check_unknown": "tokens unknown",
    "check_chunks": "chunks",
    "check_labels": "Doubtful labels",
    "check_labels_note": "About {share} of the questions have doubtful labels. No finding is a "
    "proof; look at the examples.",
    "check_doubt": "what was found",
    "doubt_contradiction": "worded like another question, with other ground truths",
    "doubt_near_truth": "a chunk nearly repeats a ground truth, but is not labelled",
    "doubt_answer_elsewhere": "the answer stands word for word in a chunk that is not labelled and "
    "ranks above every ground truth",
    "doubt_unrelated": "the ground truth is in the lower half of the corpus by the model and by "
    "BM25, as a quarter of random labels are",
    "doubt_empty": "says nothing: no word, or only words that most questions or chunks have",
    "check_not_checked": "Not checked, for the data have no answers: {names}.",
    "check_examples": "Examples",
    "check_example_other": "like {id}: {text}",
    "check_example_chunk": "chunk {id}: {text}",
    "check_example_answer": "answer: {text}",
    "check_sides": "Leaks between sides",
    "check_no_sides": "No sides are given; a split of stage2 keeps such questions together.",
    "check_side": "side",
    "check_same_chunk": "share a chunk with training",
    "check_near_duplicate": "have a near-duplicate of such a chunk",
    "check_same_wording": "are worded alike",
    "check_rules": "The rules",
    "check_rules_note": "The first rule that holds is told: {names}.",
}

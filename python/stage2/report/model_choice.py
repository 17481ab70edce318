"""Which model is shipped and why, and remarks on its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from stage2.config import TrainingConfig
from stage2.training.dev_corpus import Dev
from stage2.training.dev_evidence import ERRORS
from stage2.training.guard import Judgement
from stage2.training.learnable import Diagnosis
from stage2.training.log import DEV_METRIC, EpochLog
from stage2.training.model_selection import STAGE1, Candidate
from stage2.variants import LOSSES

# A training of fewer updates hardly moves a model at the usual learning rates.
FEW_UPDATES = 8


def shipped(
    candidates: Sequence[Candidate],
    held_out: bool,
    dev: Dev | None = None,
    diagnosis: Diagnosis | None = None,
    refit_on: int = 0,
    undone: Sequence[Judgement] = (),
) -> dict[str, Any]:
    """Return the entry of `run.json` about the shipped model, with the reason in two languages.

    Args:
        candidates: all candidates, the best first; stage 1 is always among them.
        held_out: whether training saw none of the dev questions.
        dev: the dev questions on which the model was chosen, or None.
        diagnosis: what is wrong with the training, or None.
        refit_on: the number of questions on which the best candidate was trained again; 0 if it was
            not.
        undone: what the guards say about the refitted model, if it is not shipped for that.
    """
    best = candidates[0]
    passed = [c for c in candidates if c.is_worse_elsewhere]
    others = [
        c for c in candidates if c.rank[0] == best.rank[0] and c is not best and c not in passed
    ]
    value, count = f"{best.dev_value:.4f}", len(candidates)
    en = f"the highest dev MRR ({value}) of {count} candidates: stage 1 and the epochs"
    zh = "第一阶段、各轮"
    if any(candidate.epoch % 1 for candidate in candidates):
        en += " and steps in them"
        zh += "及其间各步"
    if any(candidate.kind == "interpolation" for candidate in candidates):
        why_en, why_zh = "since none helped", "因各轮均无改进"
        if passed:
            why_en, why_zh = "since it became worse elsewhere", "因其在别处变差"
        en += f", and parts of the way to the best of them, {why_en}"
        zh += f"，以及（{why_zh}）通向最佳一轮的插值"
    zh = f"在 {count} 个候选（{zh}）中开发集 MRR 最高（{value}）"
    if best.even_with is not None:
        en, zh, others = *_undecided(best, candidates, dev), []
    if best.chance is not None:
        en, zh, others = *_at_chance(best, best.chance), []
    if best.kind == "stage1" and best.whole_value is not None:
        en = f"of {count} candidates none beat it over the whole corpus"
        zh = f"{count} 个候选中没有一个在整个语料库上胜过它"
        others = []
    if others:
        en += f"; {len(others)} more had the same: of equal ones stage 1 comes first, then the "
        en += "earliest epoch"
        zh += f"；另有 {len(others)} 个相同：相同者中第一阶段优先，其次是最早的一轮"
    for more_en, more_zh in (_passed_over(passed), _told_by_all(candidates)):
        en += more_en
        zh += more_zh
    if dev is not None and dev.whole is not None:
        more_en, more_zh = _among_a_part(candidates, dev)
        en += more_en
        zh += more_zh
    more_en, more_zh = _refit_undone(undone, best)
    en += more_en
    zh += more_zh
    if refit_on:
        en += (
            f"; then trained again from the start on all {refit_on:,} questions, those that chose "
        )
        en += "it too"
        zh += f"；随后连同作出选择的开发问题，在全部 {refit_on:,} 个问题上从头重新训练"
    if diagnosis is not None and (remarks := remarks_on(diagnosis)):
        en += f"; {remarks['en']}"
        zh += f"；{remarks['zh']}"
    if not held_out:
        en += "; training saw the dev questions"
        zh += "；训练见过这些开发问题"
    return {
        "name": f"{best.name}, refitted" if refit_on else best.name,
        "kind": best.kind,
        "epoch": best.epoch,
        "step": best.step,
        "alpha": best.alpha,
        "dev_metric": DEV_METRIC,
        "dev_value": best.dev_value,
        "dev_held_out": held_out,
        "refit_on": refit_on,
        "reason": {"en": en, "zh": zh},
        "candidates": [asdict(candidate) for candidate in candidates],
    }


def _passed_over(passed: Sequence[Candidate]) -> tuple[str, str]:
    """Say which candidates a guard calls worse, so that they are not shipped."""
    told = [
        (candidate.name, judgement)
        for candidate in passed
        for judgement in candidate.guards
        if judgement.is_worse
    ]
    if not told:
        return "", ""
    en = "; ".join(f"{name} ({_cost(one)})" for name, one in told)
    zh = "；".join(f"{name}（{_cost(one)}）" for name, one in told)
    return (
        f"; passed over, because a guard calls them worse: {en}",
        f"；因守护集判为变差而略过：{zh}",
    )


def _refit_undone(undone: Sequence[Judgement], best: Candidate) -> tuple[str, str]:
    """Say that the refitted model is not shipped, because a guard calls it worse."""
    judgement = next((one for one in undone if one.is_worse), None)
    if judgement is None:
        return "", ""
    en = "; refitted on the questions that chose it too, it became worse on a guard "
    en += f"({_cost(judgement)}), so that "
    zh = f"；连同作出选择的问题重新训练后，它在守护集上变差（{_cost(judgement)}），因此"
    if best.kind == "stage1":
        en += "stage 1 is shipped, from which dev questions did not tell the epoch"
        zh += "交付第一阶段：开发问题无法区分它与该轮"
    else:
        en += "it is shipped as it was before that"
        zh += "交付重新训练之前的模型"
    return en, zh


def _cost(judgement: Judgement) -> str:
    return f"{judgement.name}: MRR {judgement.before:.4f} → {judgement.after:.4f}"


def _undecided(
    best: Candidate, candidates: Sequence[Candidate], dev: Dev | None
) -> tuple[str, str]:
    """Say that dev questions do not tell the chosen epoch from the best candidate."""
    if best.by_all is not None:
        en = f"the dev questions prefer {best.even_with}, but they are few"
        return en, f"开发问题倾向于 {best.even_with}，但它们太少"
    value, other = best.dev_value, best.even_with
    was = next(c.dev_value for c in candidates if c.name == other)
    # Among all chunks it is compared with stage 1 again.
    if dev is not None and best.whole_value is not None and best.whole_value <= _stage1_whole(dev):
        value, was = best.whole_value, _stage1_whole(dev)
    other_zh = "第一阶段" if other == STAGE1 else f" {other} "
    en = f"its dev MRR ({value:.4f}) is no better than that of {other} ({was:.4f}), but the "
    en += f"difference is within {ERRORS} standard errors of {best.standard_error:.4f}: the dev "
    en += "questions do not tell the two apart, and what is shipped has learnt more"
    zh = f"其开发集 MRR（{value:.4f}）不高于{other_zh}（{was:.4f}），但差异在 {ERRORS} 个标准误"
    zh += f"（{best.standard_error:.4f}）之内：开发问题无法区分二者，而交付的模型学到的更多"
    return en, zh


def _at_chance(best: Candidate, chance: float) -> tuple[str, str]:
    """Say that the labels of the dev questions say nothing about the model and its training."""
    en = f"by the labels of the dev questions neither stage 1 (MRR {best.dev_value:.4f}) nor the "
    en += f"training is better than a random order ({chance:.4f}): the labels do not fit the "
    en += "questions, or the model does not read the texts; stage2 check tells more"
    zh = f"按开发问题的标注，第一阶段（MRR {best.dev_value:.4f}）和训练都不优于随机顺序"
    zh += f"（{chance:.4f}）：标注与问题不符，或模型读不懂这些文本；stage2 check 会说明更多"
    return en, zh


def _told_by_all(candidates: Sequence[Candidate]) -> tuple[str, str]:
    """Say what all questions said about the last epoch, if they were asked."""
    asked = next((one for one in candidates if one.by_all is not None), None)
    if asked is None or asked.by_all is None:
        return "", ""
    found = asked.by_all
    en = f"; all {found.questions:,} questions of the training and the dev side, each ranked by a "
    en += f"model that was trained without it, have the MRR {found.after:.4f} after {asked.name}, "
    en += f"and {found.before:.4f} by stage 1"
    zh = f"；训练侧与开发侧的全部 {found.questions:,} 个问题，各由未用它训练的模型排序："
    zh += f"{asked.name} 之后 MRR 为 {found.after:.4f}，第一阶段为 {found.before:.4f}"
    if asked is candidates[0] and found.after <= found.before:
        en += f", which is within {ERRORS} standard errors of {found.standard_error:.4f}: they do "
        en += "not tell the two apart, and what is shipped has learnt more"
        zh += f"，差异在 {ERRORS} 个标准误（{found.standard_error:.4f}）之内：无法区分二者，"
        zh += "而交付的模型学到的更多"
    return en, zh


def _stage1_whole(dev: Dev) -> float:
    return 0.0 if dev.stage1_whole is None else float(dev.stage1_whole.mean())


def _among_a_part(candidates: Sequence[Candidate], dev: Dev) -> tuple[str, str]:
    """Say that dev questions were ranked among a part of the corpus, and what the whole showed."""
    best, part, chunks = candidates[0], len(dev.lists.corpus), dev.chunks
    en = f"; chosen among {part:,} of the {chunks:,} chunks: the ground truths and what stage 1 "
    en += "has nearest to the dev questions"
    zh = f"；候选在 {chunks:,} 个文本块中的 {part:,} 个里选出：正确文本块，以及第一阶段"
    zh += "认为离开发问题最近的文本块"
    if best.whole_value is None:
        return en, zh
    was = f"{_stage1_whole(dev):.4f}"
    if best.kind != "stage1":
        en += f"; among all chunks its dev MRR is {best.whole_value:.4f}, that of stage 1 {was}"
        zh += f"；在全部文本块中其开发集 MRR 为 {best.whole_value:.4f}，第一阶段为 {was}"
        return en, zh
    other = next(c for c in candidates[1:] if c.whole_value is not None)
    en += f". {other.name} was best there, but among all chunks its dev MRR is "
    en += f"{other.whole_value:.4f}, and that of stage 1 {was}: so stage 1 stays"
    zh += f"。其中最好的是 {other.name}，但在全部文本块中其开发集 MRR 为 "
    zh += f"{other.whole_value:.4f}，第一阶段为 {was}，因此保留第一阶段"
    return en, zh


def untrained(why: Mapping[str, str], held_out: bool) -> dict[str, Any]:
    """Return the entry of `run.json` about the shipped model if nothing was trained.

    Args:
        why: the reason in each language.
        held_out: whether training saw none of the dev questions.
    """
    return {
        "name": STAGE1,
        "kind": "stage1",
        "epoch": 0,
        "step": 0,
        "alpha": 0.0,
        "dev_metric": DEV_METRIC,
        "dev_value": None,
        "dev_held_out": held_out,
        "refit_on": 0,
        "reason": dict(why),
        "candidates": [],
    }


def remarks_on(diagnosis: Diagnosis) -> dict[str, str]:
    """Say in each language what is wrong with a training; return {} if nothing is."""
    en, zh = [], []
    if diagnosis.same_weights:
        en.append("training changed no weight")
        zh.append("训练没有改变任何权重")
    if diagnosis.zero_loss:
        en.append("the loss was 0 at every step, so that nothing was learnt")
        zh.append("每一步的损失都是 0，因此什么也没有学到")
    if worst := diagnosis.without_negative:
        en.append(f"{worst} of the {diagnosis.questions} questions trained on had no negative")
        zh.append(f"训练的 {diagnosis.questions} 个问题中有 {worst} 个没有负例")
    return {"en": "; ".join(en), "zh": "；".join(zh)} if en else {}


def few_updates(updates: int) -> str | None:
    """Return a warning about a training that makes only so many updates; None if they suffice."""
    if updates >= FEW_UPDATES:
        return None
    return (
        f"this training updates the weights {updates} time{'s' * (updates != 1)}, which teaches "
        "little: more --epochs, a smaller --batch-size or a higher --learning-rate teach more; "
        "stage2 run --preset small makes ten epochs"
    )


def epoch_warnings(entry: EpochLog, settings: TrainingConfig) -> list[str]:
    """Return warnings about an epoch, or a part of one, that taught the model too little."""
    found = []
    if entry.without_negative:
        found.append(
            f"{entry.name}: {entry.without_negative} of {entry.train_examples} questions "
            "had no negative, so that nothing was learnt from them. "
            + (
                "Their steps hold no other question's ground truth: give a larger --batch-size"
                if LOSSES[settings.loss].negatives == "batch"
                else "Their lists hold ground truths alone"
            )
        )
    if entry.loss == 0:
        found.append(f"{entry.name}: the loss was 0 at every step, so that nothing was learnt")
    return found

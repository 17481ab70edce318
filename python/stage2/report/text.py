"""The words of the report, in each language. Nothing else here: no numbers, no layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Every catalog has the same keys, and the same placeholders under each.
CATALOGS: dict[str, dict[str, str]] = {
    "en": {
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
        "remembered": "**What the model remembers and what it learned.** Of all {count} questions, "
        "{trained} of them trained on, the shipped model ranks {after} first among their "
        "candidates, up from {before} ({seen}). Models that had not seen a question rank {crossed} "
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
        "no_comparison": "No verdict yet: before and after have not been measured. Run "
        "`stage2 run`.",
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
        "epoch": "Epoch",
        "loss": "Loss",
        "against_first": "Against epoch 1",
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
        "source_sample": "the built-in sample (a fictional harbour's records)",
        "source_files": "files",
        "input_file": "{path}, SHA-256 {hash}…",
        "rejected": "Rows skipped: {reason}",
        # samples
        "num_samples": "Samples",
        "contexts": "Contexts a sample",
        "contexts_value": "ground truth + {negatives} random negatives",
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
        "uneven": "Shares, {part}",
        "uneven_value": "not as asked for: groups that stay together, the largest of "
        "{largest_kept_together} questions, come no nearer than {furthest}",
        # metrics
        "mrr": "MRR",
        "ndcg10": "nDCG@10",
        "mean_rank": "Mean rank",
        "ties": "Questions with a tie",
        "below_chance": "Top-1 is below chance: the model is worse than drawing lots.",
        # hard examples
        "hard_rule": "Rule",
        "hard_rule_value": "the ground truth is not in the top {topk}",
        "num_hard": "Hard examples",
        "trained_on": "Questions trained on",
        "hard_without_negative": "{count} more questions rank below the top {topk}, but have no "
        "negative to train on: the window of ranks, the filters or `--drop-false-negatives` left "
        "none.",
        "no_hard": "No question is hard for this model. Try a smaller `--topk` or more "
        "`--negatives`.",
        # settings
        "loss_function": "Loss function",
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
        # loss
        "loss_change": "From epoch {first} to epoch {last} the loss changed by {change}.",
        "dev_questions": "Dev metrics are of {count} questions (chance: Top-1 {top1}, MRR {mrr}).",
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
        # time
        "stage_init": "Stage-1 model",
        "stage_prepare": "Samples",
        "stage_mine": "Scoring and selection",
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
        "file_log": "a row an epoch",
        "file_checkpoint": "state_dict after epoch {number}",
        "file_best": "state_dict of the shipped model",
        "file_after": "every question after training",
        "file_comparison": "the table above, for programs",
        "file_audit": "what is wrong with the negatives, in numbers",
        "file_audit_rows": "the same, a row a finding",
        "file_cross_scores": "each candidate's score of the cross-encoder",
        "file_per_question": "every question's rank before and after, and what changed",
        "file_merge": "which models were combined, how, and what each α gave",
        "file_split": "which question is in which part",
        "file_settings": "the settings, to run this again",
        "file_run": "versions, inputs and times",
        "file_summary": "counts and metrics of mining",
        "file_shipped": "the shipped model, a Hugging Face folder",
        "file_stage1": "the stage-1 model, a Hugging Face folder",
        "file_rejected": "rows that were skipped, and why",
        "file_sample": "the built-in sample",
        "file_report": "this report",
        # notes
        "note_chance": "*Chance* is what a scorer gets that draws lots among the same candidates.",
        "note_ties": "A tie is not a win: among equal scores the *expected* rank counts.",
        "note_interval": "The 95% interval is Wilson's, for a share of so many questions: two "
        "results whose intervals overlap widely may differ by luck. It and McNemar's test count "
        "each question by itself: where several ask about one chunk, both claim to know more than "
        "they do.",
        "note_test": "The verdict is one test named beforehand: of MRR, by swapping before and "
        "after at random (10,000 times, all questions of a chunk together). Were both models "
        "equally good it would say better, or worse, at most 2.5 times in 100. Every other p in "
        "this report is for looking, not for deciding.",
        "note_dev": "The shipped model is the best on the dev questions, the untrained stage 1 "
        "included; the test questions choose nothing.",
    },
    "zh": {
        "title": "第二阶段：挖掘难例、训练与评测",
        "made_by": "stage2 {version}，随机种子 {seed}，开始于 {started}。",
        "not_run": "此步骤尚未运行：`{command}`。",
        "none": "–",
        # verdict
        "language": "zh",
        "better": "**数值上升**",
        "same": "**没有变化**",
        "worse": "**数值下降**",
        "verdict": "{judgement}：训练未见过的 {count} 个问题，{source}：{changes}。",
        "verdict_change": "{metric} {before} → {after}（随机水平 {chance}）",
        "and": "；",
        "remembered": "**模型记住了什么，学到了什么。**全部 {count} 个问题中有 {trained} "
        "个参加过训练；交付的模型在各自的候选中把 {after} 的问题排在首位，"
        "训练前为 {before}（{seen}）。"
        "由没有见过该问题的模型打分时为 {crossed}（{unseen}）：只有这一部分能推广到新问题，"
        "两者之差是记住的，而不是学到的。",
        "stage1_shipped": "没有任何候选在开发集上胜过第一阶段模型，因此交付的是第一阶段模型："
        "训练前后是同一个模型。",
        "nothing_to_train": "训练集中没有难例，因此没有训练：交付的是第一阶段模型，"
        "训练前后是同一个模型。",
        "measured_on_training": "**警告：评测所用的正是训练过的问题**。{count} 个问题中有 {seen} "
        "个参加过训练。这些数字说明模型记住了多少，而不是它在新问题上的表现。",
        "training_unknown": "**警告：无法确认哪些问题未参加训练**。模型文件不记录训练用过的问题；"
        "如果这些问题在其中，数字只说明模型记住了多少。",
        "nothing_held_out": "**警告：没有留出任何问题**。虽然没有问题参加训练"
        "，但也没有专门留出问题用于评测。",
        "no_comparison": "尚无结论：还没有做训练前后的评测。请运行 `stage2 run`。",
        "few_questions": "{count} 个问题偏少：落在下面 95% 置信区间内的差异可能只是偶然。",
        # sections
        "data": "数据",
        "samples": "样本",
        "before_training": "训练前",
        "hard_examples": "难例",
        "training_settings": "训练设置",
        "loss_by_epoch": "各轮损失",
        "after_training": "训练前后对比",
        "time": "耗时",
        "files": "文件",
        "how_to_read": "如何阅读本报告",
        # columns
        "item": "项目",
        "value": "取值",
        "metric": "指标",
        "chance": "随机水平",
        "before": "训练前",
        "after": "训练后",
        "model": "模型",
        "change": "变化",
        "result": "结果",
        "interval": "95% 区间",
        "interval_before": "训练前 95% 区间",
        "interval_after": "训练后 95% 区间",
        "epoch": "轮次",
        "loss": "损失",
        "against_first": "相对第 1 轮",
        "dev_metric": "开发集 {metric}",
        "seconds": "秒",
        "step": "步骤",
        "file": "文件",
        "size": "大小",
        "content": "内容",
        # data
        "num_qa": "问答对",
        "num_chunks": "文本块",
        "num_questions": "不同的问题",
        "num_annotations": "带实体标注的文本",
        "annotated_questions": "匹配到标注的问题",
        "annotated_chunks": "匹配到标注的文本块",
        "annotated_contexts": "匹配到标注的上下文",
        "annotated_value": "共 {texts} 个：文本相同 {equal} 个，包含关系 {contained} 个；"
        "其中 {with_entity} 个有实体",
        "source": "来源",
        "source_sample": "内置样例（一座虚构港口的档案）",
        "source_files": "文件",
        "input_file": "{path}，SHA-256 {hash}…",
        "rejected": "跳过的行：{reason}",
        # samples
        "num_samples": "样本数",
        "contexts": "每个样本的上下文",
        "contexts_value": "正确文本块 + {negatives} 个随机负例",
        "texts_encoded": "编码的不同文本",
        "texts_questions": "模型看到的问题",
        "texts_chunks": "模型看到的文本块",
        "texts_seen": "{texts} 个中有 {cut} 个在 {max_length} 个词元处截断，丢失全部词元的 {lost}；"
        "未知词元占 {unknown}",
        "texts_seen_of_some": "抽查 {counted} 个（共 {texts} 个），其中 {cut} 个在 {max_length} "
        "个词元处截断，丢失全部词元的 {lost}；未知词元占 {unknown}",
        "texts_unseen": "警告：超过十分之一的词元被截断或不为模型所知，模型只按其余部分排序。",
        "pairs_entity": "按实体比较的文本对",
        "pairs_fallback": "按整句比较的文本对",
        "split": "划分",
        "split_chunk": "按{rule}：训练 {train}、开发 {dev}、测试 {test} 个问题",
        "split_none": "不划分：训练、选模型与评测用的是同样的 {train} 个问题",
        "rule_group": "文本块分组",
        "rule_cut": "文本块分组（拆开 {cut} 个共用的文本块）",
        "rule_question": "问题（大组中 {cut} 个共用的文本块全部拆开）",
        "folds": "交叉验证各折",
        "folds_value": "按{rule}：{sizes} 个问题",
        "overlaps": "问题分组",
        "overlaps_value": "{groups} 组，最大的一组有 {largest_group} 个问题；"
        "{questions_sharing_a_chunk} 个问题与别的问题共用正确文本块，"
        "{near_duplicate_pairs} 个正确文本块与别的近似重复",
        "leaked": "泄漏：{part}",
        "leaked_value": "**{same_chunk} 个问题的正确文本块也属于训练或选模型用的问题，"
        "另有 {near_duplicate} 个与之近似重复**：这些组太大，无法整组划分，"
        "已在共用最多的文本块处拆开",
        "uneven": "占比：{part}",
        "uneven_value": "与要求不符：必须放在一起的组中最大的有 {largest_kept_together} 个问题，"
        "误差最小为 {furthest}",
        # metrics
        "mrr": "MRR",
        "ndcg10": "nDCG@10",
        "mean_rank": "平均名次",
        "ties": "有并列的问题",
        "below_chance": "Top-1 低于随机水平：模型还不如抽签。",
        # hard examples
        "hard_rule": "判定",
        "hard_rule_value": "正确文本块不在前 {topk} 名",
        "num_hard": "难例数",
        "trained_on": "参与训练的问题数",
        "hard_without_negative": "另有 {count} 个问题排在前 {topk} 名之外，但没有可用于训练的负例："
        "名次窗口、过滤条件或 `--drop-false-negatives` 没有留下任何负例。",
        "no_hard": "对这个模型来说没有难例。可以减小 `--topk` 或增大 `--negatives`。",
        # settings
        "loss_function": "损失函数",
        "train_on": "训练集中用于训练的问题",
        "epochs": "轮数",
        "batch_size": "批大小",
        "learning_rate": "学习率",
        "weight_decay": "权重衰减",
        "margin": "间隔",
        "pairs": "损失中的文本对",
        "similarity": "相似度",
        "precision": "精度",
        "dev_share": "开发问题占比",
        "test_share": "测试问题占比",
        "seed": "随机种子",
        "stage1": "第一阶段",
        "epoch_number": "第 {number} 轮",
        # loss
        "loss_change": "从第 {first} 轮到第 {last} 轮，损失变化 {change}。",
        "dev_questions": "开发集指标按 {count} 个问题计算（随机水平：Top-1 {top1}，MRR {mrr}）。",
        "shipped_because": "**交付的模型：{name}**：{reason}。",
        "candidate": "候选",
        "interpolation": "到{epoch}的 {alpha}",
        "dev_seen": "这些开发问题并非留出：它们参加过训练。",
        "not_shipped": "训练尚未完成，还没有选出模型。",
        "curve": "损失曲线",
        # sets
        "set_test": "留出测试",
        "set_dev": "开发",
        "set_train": "训练",
        "set_cross-validated": "交叉验证",
        "set_all": "全部",
        "among_candidates": "在各自的候选中",
        "among_corpus": "在整个语料库中",
        "set_heading": "{count} 个{set}问题，{source}",
        "held_out": "留出：未参加训练，也未用于任何选择",
        "cross_validated": "留出：每个问题都由没有见过它的模型打分。这衡量的是训练方法；"
        "交付的模型用同样的方法在普通划分上训练",
        "evidence": "{metric} {difference}（95% 区间 {low} 至 {high}，p {p}）",
        "flips": "Top-{k}：{fixed} 个变对，{broken} 个变错（McNemar 检验 p {p}）",
        "semicolon": "；",
        "chosen_on": "并非留出：交付的模型是在这些问题上选的",
        "seen": "并非留出：{count} 个问题中有 {seen} 个参加过训练",
        "unknown": "不知道训练是否见过这些问题",
        # table of a terminal
        "plain_set": "问题集",
        "plain_source": "排序范围",
        "plain_count": "问题数",
        "plain_metric": "{metric}（随机）",
        "plain_value": "{values} ({chance})",
        "plain_training": "与训练的关系",
        "plain_test": "测试集",
        "plain_dev": "开发集",
        "plain_train": "训练集",
        "plain_cross-validated": "交叉验证",
        "plain_all": "全部",
        "plain_candidates": "候选",
        "plain_corpus": "整个语料库",
        "plain_held_out": "留出",
        "plain_chosen_on": "用于选择模型",
        "plain_seen": "{count} 个中 {seen} 个参加过训练",
        "plain_unknown": "未知",
        "plain_model": "{side}：{name}",
        # time
        "stage_init": "第一阶段模型",
        "stage_prepare": "构造样本",
        "stage_mine": "打分与挑选",
        "stage_audit": "负例审查",
        "stage_sweep": "参数搜索",
        "stage_train": "训练",
        "stage_evaluate": "评测",
        "stage_merge": "合并",
        "total": "合计",
        "device": "设备",
        "device_value": "{device}，{precision}",
        "cpu": "处理器",
        "versions": "版本",
        "versions_value": "Python {python}，torch {torch}",
        # files
        "file_constructed": "构造的样本",
        "file_evaluation": "训练前的每个问题：顺序、相似度、名次",
        "file_hard": "难例",
        "file_log": "每轮一行",
        "file_checkpoint": "第 {number} 轮后的 state_dict",
        "file_best": "交付模型的 state_dict",
        "file_after": "训练后的每个问题",
        "file_comparison": "上面的对比表，供程序读取",
        "file_audit": "负例的问题统计",
        "file_audit_rows": "负例问题明细，每行一条",
        "file_cross_scores": "交叉编码器对每个候选的评分",
        "file_per_question": "每个问题训练前后的名次与变化",
        "file_merge": "合并了哪些模型、方法与各 α 的结果",
        "file_split": "每个问题属于哪一部分",
        "file_settings": "全部设置，可用来重跑",
        "file_run": "版本、输入与耗时",
        "file_summary": "挖掘的计数与指标",
        "file_shipped": "交付的模型（Hugging Face 目录）",
        "file_stage1": "第一阶段模型（Hugging Face 目录）",
        "file_rejected": "被跳过的行及原因",
        "file_sample": "内置样例",
        "file_report": "本报告",
        # notes
        "note_chance": "*随机水平*：在同样的候选中随机排序所得的结果。",
        "note_ties": "并列不算胜出：分数相同时按*期望*名次计。",
        "note_interval": "95% 区间是 Wilson 区间，按问题数计算：两个结果的区间若大幅重叠，"
        "差别可能只是运气。它和 McNemar 检验把每个问题单独计算："
        "若多个问题出自同一文本块，二者都会显得比实际更有把握。",
        "note_test": "结论只取决于事先指定的一个检验：对 MRR 随机交换训练前后"
        "（10,000 次，同一文本块的问题一起交换）。若两个模型一样好，它误判变好或变差的机会各不超过 "
        "2.5%。报告中其余的 p 只供参考，不作判断。",
        "note_dev": "交付的是开发集上最好的模型，未训练的第一阶段模型也参加比较；"
        "测试集不参与任何选择。",
    },
}

Words = Callable[..., str]


def words(language: str) -> Words:
    """Return a function from a key and its values to text.

    Raises:
        ValueError: there is no catalog of that language.
    """
    if language not in CATALOGS:
        raise ValueError(f"language is {language!r}; expected {' or '.join(CATALOGS)}")
    catalog = CATALOGS[language]

    def say(key: str, **values: Any) -> str:
        return catalog[key].format(**values)

    return say

"""A verdict's words in Chinese; english.py has the same ones in the same order."""

from typing import Any

from .numbers import chance, number, rounded_up, share, signed

RIVALS = {
    "majority": "总是回答“{answer}”",
    "mean": "总是回答训练集的平均值 {answer}",
    "commonest": "总是回答训练集中最常见的标签（{answer}）",
    "tfidf": "TF-IDF 基线",
    "nothing": "什么都不标",
    "dictionary": "训练集实体词典",
    "crf": "条件随机场",
    "unigram": "只按词频猜词（一元模型）",
    "bigram": "训练集上的二元模型",
    "before": "训练之前的同一个模型",
    "copy": "照抄原文",
    "majority_token": "总是猜最常见的词",
    "no_answer": "从不作答",
    "sentence": "含问题用词最多的句子",
}
FIGURES = {
    "accuracy": "准确率",
    "f1_macro": "宏平均 F1",
    "f1_micro": "微平均 F1",
    "f1": "实体 F1",
    "answer_f1": "答案 F1",
    "exact_match": "完全匹配",
    "rmse": "均方根误差",
    "r2": "R²",
    "perplexity": "困惑度",
    "masked_perplexity": "遮盖词困惑度",
    "bits_per_byte": "每字节比特数",
    "bleu": "BLEU",
    "BLEU": "BLEU",
}
TESTS = {"mcnemar": "McNemar 检验", "bootstrap": "配对自助法", "randomization": "近似随机化检验"}
UNITS = {
    "rows": "行",
    "sentences": "个句子",
    "documents": "篇文档",
    "windows": "个窗口",
    "pairs": "对句子",
    "questions": "个问题",
}
SPLITS = {"test": "测试", "validation": "验证", "train": "训练"}
OUTCOMES = {
    "better": "优于{rival}，并非偶然",
    "worse": "不如{rival}，并非偶然",
    "tie": "与{rival}不相上下（就这些数据所能分辨）",
    "unsure": "数据太少，无法分辨它与{rival}孰优",
}
UNTOLD, STOP = "无从知道模型有多好：", "。"
WARNINGS = {
    "nothing_held_out": "没有留出任何一行用来评估",
    "one_answer": "每一行的回答都是“{answer}”：模型没有学会区分",
    "never_found": "从未预测过：{labels}（{split}集中有 {rows} 行）",
    "unbalanced": "{share} 的行都是“{answer}”，准确率（{accuracy}）说明不了什么：改看宏平均 F1",
    "rare_labels": "准确率 {accuracy} 掩盖了较差的标签：宏平均 F1 为 {macro}，最差的是{labels}",
    "few_rows": "只有 {rows} {unit}：{difference} 的差异约需 {needed}才能与偶然区分开",
    "unmeasured": "{split}集中没有{labels}的行：能否找到它们无从得知",
    "few_of_a_label": "{split}集中{labels}的行太少：其指标可能很不准（见区间）",
    "perfect": "{figure}满分，值得怀疑：看看文本是否泄露了答案",
    "perfect_leak": "{figure}满分，而 {share} 的{split}文本也在训练集中：数据泄漏",
    "leak": "{share} 的{split}文本也在训练集中，因此指标偏高",
    "too_easy": "{rival}也是满分：任务太容易，或文本泄露了答案",
    "still_improving": "最后一次评估时仍在变好（{name} {before} → {after}）：继续训练",
    "overfitted": "从第 {epoch} 轮起过拟合：验证损失从 {best} 升到 {last}",
    "overfitted_kept": "从第 {epoch} 轮起过拟合（验证损失 {best} → {last}）；已保留该轮的权重",
    "not_learning": "训练损失几乎没有变化（{before} → {after}）：换一个学习率，或训练更久",
    "rising": "训练损失反而上升（{before} → {after}）：降低学习率",
    "few_steps": "只训练了 {steps} 步",
    "validation_only": "指标来自验证集，而最佳检查点正是按它选的：略微偏高",
    "folded": "每一行都由 {folds} 个模型中未见过它的那个来回答，区间针对这些行（各折均值的区间是另一回事）；"
    "此处保留的模型则用全部行训练",
    "no_baseline": "没有与任何读文本的简单模型比较",
    "not_best": "没有胜过{rival}，而后者几乎不费成本",
    "temperature_worse": "`predict` 所用的温度使{split}集上的校准变差（误差 {before} → {after}{chance}）",
    "negative_r2": "R² 为 {r2}：误差比直接用这些行的平均值还大",
    "off_scale": "排序不错（Pearson {pearson}），但数值有偏（R² {r2}）：训练不够久，或整体偏差 {bias}",
    "undefined": "{split}集每一行的评分都相同：无法计算相关系数，R² 无定义",
    "one_label": "{split}集所有行都是同一个标签，无从区分",
    "never_found_types": "从未找到：{labels}（{split}集中有 {rows} 个实体）",
    "few_of_a_type": "{split}集中{labels}的实体太少：其指标可能很不准",
    "empty_translations": "{rows} 条译文中有 {count} 条为空",
    "copied": "{rows} 条译文中有 {count} 条是原文照抄",
    "same_translation": "{rows} 条译文中有 {count} 条相同：“{said}”",
    "loops": "{rows} 条{what}中有 {count} 条在原地打转（反复重复同样的词）",
    "alike": "照抄原文的 BLEU 已达 {copy}：两种语言（或这些句对）很相近",
    "copy_is_right": "参考译文就是原文，照抄即正确：没有可比的对手",
    "low_bleu": "BLEU {bleu} 很低：低于 10 的译文很少有用",
    "nsp_chance": "下一句预测不比瞎猜好：准确率 {accuracy}，瞎猜 {guess}",
    "decided_best_f1": "由阈值决定（{rows} 行验证集上 F1 最高），指标均据此计算，与简单模型的比较除外",
    "decided_target_precision": "由阈值决定（{rows} 行验证集上精确率 {target}），指标均据此计算，与简单模型的比较除外",
    "decided_target_recall": "由阈值决定（{rows} 行验证集上召回率 {target}），指标均据此计算，与简单模型的比较除外",
    "decided_costs": "由错误的代价（{file}）决定，指标均据此计算，与简单模型的比较除外",
    "always_answers": "{split}集中有 {rows} 个问题没有答案，而训练集中没有这样的问题：模型总会作答",
    "one_document": "只有一篇{split}文本：以它的 {rows} {unit}代表同类文本",
}
WHAT = {"translations": "译文", "samples": "样例"}
SHORT = {"better": "B 更好", "worse": "A 更好", "tie": "没有超出偶然的差异", "unsure": "行数太少，无法判断"}


def sentence(level: str, claim: dict) -> str:
    place = claim["decisive"]
    against = None if place is None else claim["rivals"][place]
    figure = f"{FIGURES[claim['figure']]} {number(claim['figure'], claim['value'])}"
    on = f"{claim['rows']:,} {UNITS[claim['unit']]}{_split(claim['split'])}数据"
    if against is None:
        return f"{'目前毫无用处' if level == 'useless' else '没有可比较的对象'}：{on}上{figure}。"
    rival, theirs = _rival(against), number(claim["figure"], against["a"])
    p = chance(against, TESTS).replace(", ", "，")
    if level == "useless":
        if claim["one_answer"] is not None:
            same = against.get("answer") == claim["one_answer"]
            versus = "" if same else f"；{rival}为 {theirs}"
            same_to_all = claim["one_answer"]
            if claim["figure"] == "answer_f1" and same_to_all == "no answer":
                same_to_all = "没有答案"
            said = f"目前毫无用处：对一切都回答“{same_to_all}”（{on}上{figure}{versus}）。"
            return said + _others(claim, against)
        how = {"worse": "还不如", "better": "仅略好于"}.get(against["outcome"], "并不优于")
        said = f"目前毫无用处，{how}{rival}：{on}上{figure}，对方 {theirs}（{p}）。"
        return said + _others(claim, against)
    said = f"{OUTCOMES[level].format(rival=rival)}：{on}上{figure}，对方 {theirs}（{p}）。"
    return said + _others(claim, against)


def _others(claim: dict, against: dict) -> str:
    others = [one for one in claim["rivals"] if one is not against and one["kind"] != "nothing"]
    return "".join(f"{_rival(one)}为 {number(claim['figure'], one['a'])}。" for one in others)


def why(claim: dict) -> str:
    parts = []
    if claim["low"] is not None:
        low, high = (number(claim["figure"], claim[end]) for end in ("low", "high"))
        parts.append(f"{FIGURES[claim['figure']]} {low} 至 {high}")
    for one in claim["rivals"]:
        if one["low"] is not None and one["kind"] != "nothing":
            difference, low, high = (signed(claim["figure"], one[end]) for end in ("difference", "low", "high"))
            parts.append(f"与{_rival(one)}相差 {difference}（{low} 至 {high}）")
    is_lower = any(one["better"] == "lower" for one in claim["rivals"])
    return f"{'；'.join(parts)}（95 % 区间；越{'低' if is_lower else '高'}越好）" if parts else ""


def following(level: str, first: str | None, figure: str | None) -> str:
    if first and first.startswith("--"):
        return f"下一步：加上 {first} --resume false 再训练一次"
    if first:
        return f"下一步：{first}"
    read = {"perplexity": "的样例", "bits_per_byte": "的样例", "masked_perplexity": "的各项数字"}
    return {
        "better": f"下一步：看 report.html 中{read.get(figure or '', '错得最离谱的例子')}，再用自己的文本试试",
        "tie": "下一步：用更简单的那个，给它更多数据，或把命令里的 train 换成 search 再试",
        "worse": "下一步：用更简单的那个，给它更多数据，或把命令里的 train 换成 search 再试",
        "useless": "下一步：看看数据：文本里真的有答案吗？",
        "unsure": "下一步：用更多数据来评估（更多的表格行，或 --test_fraction 0.3）",
    }[level]


def warning(fact: dict[str, Any]) -> str:
    return WARNINGS[fact["kind"]].format_map({name: _shown(name, value, fact) for name, value in fact.items()})


def _shown(name: str, value: Any, fact: dict) -> str:
    if name == "labels":
        more = f" 等 {fact.get('in_all', len(value)):,} 个" if len(value) > 5 else ""
        return "、".join(f"“{one}”" for one in value[:5]) + more
    if name == "figure":
        return FIGURES[value]
    if name == "rival":
        return _rival(value)
    if name == "chance":
        return "，可能只是偶然" if value else ""
    if name == "needed":
        return f"{rounded_up(value):,} {UNITS[fact['unit']]}"
    if name == "difference":
        return number(fact["of"], abs(value))
    if name == "name":
        return "损失" if value == "loss" else FIGURES.get(value, value.replace("_", " "))
    if name in ("split", "unit", "what"):
        return {"split": SPLITS, "unit": UNITS, "what": WHAT}[name].get(value, value)
    if name in ("bleu", "copy"):
        return number("bleu", value)
    if name == "share":
        return share(value)
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _split(name: str) -> str:
    return SPLITS.get(name, name)


def _rival(one: dict) -> str:
    return RIVALS[one["kind"]].format(answer=one.get("answer"))


def compared(told: str, figure: dict, rows: int, split: str) -> str:
    name = FIGURES.get(figure["name"], figure["name"])
    a, b = (number(figure["name"], figure[side]) for side in "ab")
    if told in ("better", "worse"):
        first, second = ("B", "A") if told == "better" else ("A", "B")
        head = f"{first} 优于 {second}，并非偶然"
    elif told == "unsure":
        head = "数据太少，无法分辨 A 与 B"
    else:
        head = "A 与 B 之间没有超出偶然的差异"
    direction = "；越低越好" if figure["better"] == "lower" else ""
    return f"{head}：{rows:,} 行{_split(split)}数据上{name} A {a}，B {b}（{chance(figure, {})}{direction}）。"

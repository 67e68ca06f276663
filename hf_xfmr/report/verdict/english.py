"""A verdict's words in English."""

from typing import Any

from ...plain import some
from .numbers import chance, number, rounded_up, share, signed

RIVALS = {
    "majority": 'always answering "{answer}"',
    "mean": "always answering the mean of train, {answer}",
    "commonest": "always answering the commonest labels of train ({answer})",
    "tfidf": "TF-IDF",
    "nothing": "finding nothing",
    "dictionary": "a dictionary of train's entities",
    "crf": "a conditional random field",
    "unigram": "guessing tokens by how common they are (unigrams)",
    "bigram": "a bigram model of train",
    "before": "the same model before it was trained",
    "copy": "copying the source",
    "majority_token": "always guessing the commonest token",
    "no_answer": "never giving an answer",
    "sentence": "the sentence with most words of the question",
}
FIGURES = {
    "accuracy": "accuracy",
    "f1_macro": "macro F1",
    "f1_micro": "micro F1",
    "f1": "entity F1",
    "answer_f1": "F1 of the answers",
    "exact_match": "exact match",
    "rmse": "RMSE",
    "r2": "R²",
    "perplexity": "perplexity",
    "masked_perplexity": "masked-word perplexity",
    "bits_per_byte": "bits per byte",
    "bleu": "BLEU",
    "BLEU": "BLEU",
}
TESTS = {"mcnemar": "McNemar's test", "bootstrap": "paired bootstrap", "randomization": "approximate randomization"}
OUTCOMES = {
    "better": "Better than {rival}, and not by chance",
    "worse": "Worse than {rival}, and not by chance",
    "tie": "No better and no worse than {rival}, as far as these rows tell",
    "unsure": "Too few rows to tell it from {rival}",
}
UNTOLD, STOP = "How good it is, nobody knows: ", "."
WARNINGS = {
    "nothing_held_out": "no row was held out from training to measure on",
    "one_answer": 'every row gets the same answer, "{answer}": the model did not learn to tell rows apart',
    "never_found": "never predicted: {labels} ({rows} {split} rows bear {them})",
    "unbalanced": '{share} of the rows are "{answer}", so accuracy ({accuracy}) says little: judged by macro F1',
    "rare_labels": "accuracy {accuracy} hides weak labels: macro F1 is {macro}, worst {labels}",
    "few_rows": "only {rows} {unit}: a difference of {difference} would take about {needed} to be told from chance",
    "unmeasured": "no {split} row of {labels}: whether {they} can be found is not known",
    "few_of_a_label": "few {split} rows of {labels}: their figures may be far off (see their intervals)",
    "perfect": "{figure} is perfect, which is suspicious: see whether the text gives the answer away",
    "perfect_leak": "{figure} is perfect, and {share} of the {split} texts stand in train too: a leak",
    "leak": "{share} of the {split} texts stand in train too, so the figures are too good",
    "too_easy": "{rival} is perfect too: the task is easy, or the text gives the answer away",
    "still_improving": "still improving at the last evaluation ({name} {before} to {after}): train longer",
    "overfitted": "overfitted since epoch {epoch}: validation loss has risen from {best} to {last}",
    "overfitted_kept": "overfitted since epoch {epoch} (validation loss {best} to {last}); the weights of that epoch "
    "were kept",
    "not_learning": "training loss has hardly changed ({before} to {after}): another learning rate, or longer",
    "rising": "training loss has risen ({before} to {after}): a lower learning rate",
    "few_steps": "only {steps} steps of training",
    "validation_only": "measured on validation rows, by which the best checkpoint was chosen: a little too good",
    "folded": "each row was answered by the one of {folds} models that had not seen it, and the interval is of these "
    "rows (that of the folds' mean is another); the model kept here has learned from all of them",
    "no_baseline": "not compared with a simple model that reads the text",
    "not_best": "it does not beat {rival}, which costs nothing",
    "temperature_worse": "the temperature kept for `predict` made calibration worse on {split} (error {before} to "
    "{after}{chance})",
    "negative_r2": "R² is {r2}: further off than the mean of the rows themselves",
    "off_scale": "ranks well (Pearson {pearson}) but its numbers are off (R² {r2}): not trained long enough, or biased "
    "by {bias}",
    "undefined": "every {split} row has the same rating: nothing can be correlated, R² is undefined",
    "one_label": "all {split} rows have one label, so that nothing can be told apart",
    "never_found_types": "never found: {labels} ({rows} {split} entities)",
    "few_of_a_type": "few {split} entities of {labels}: their figures may be far off",
    "empty_translations": "{count} of {rows} translations are empty",
    "copied": "{count} of {rows} translations are the source, unchanged",
    "same_translation": '{count} of {rows} translations are the same: "{said}"',
    "loops": "{count} of {rows} {what} go round in circles (the same words again and again)",
    "alike": "copying the source already gives BLEU {copy}: the languages (or the pairs) are alike",
    "copy_is_right": "references are the sources themselves, so that copying is right: no rival to beat",
    "low_bleu": "BLEU {bleu} is low: below 10 a translation is seldom of use",
    "nsp_chance": "next sentences are told no better than by guessing: accuracy {accuracy}, guessing {guess}",
    "decided_best_f1": "decided by thresholds of highest F1 on {rows} validation rows, as all figures are but the "
    "comparison with simple models",
    "decided_target_precision": "decided by thresholds for a precision of {target} on {rows} validation rows, as all "
    "figures are but the comparison with simple models",
    "decided_target_recall": "decided by thresholds for a recall of {target} on {rows} validation rows, as all figures "
    "are but the comparison with simple models",
    "decided_costs": "decided by what wrong answers cost ({file}), as all figures are but the comparison with simple "
    "models",
    "always_answers": "{rows} {split} questions have no answer, and no question of train is so: one is always given",
    "one_document": "one {split} text alone: its {rows} {unit} stand for others of its kind",
}


def sentence(level: str, claim: dict) -> str:
    place = claim["decisive"]
    against = None if place is None else claim["rivals"][place]
    figure = f"{FIGURES[claim['figure']]} {number(claim['figure'], claim['value'])}"
    on = f"on {claim['rows']:,} {claim['split']} {claim['unit']}"
    if against is None:
        head = "Useless as it stands" if level == "useless" else "Nothing to compare it with"
        return f"{head}: {figure} {on}."
    rival, theirs = _rival(against), number(claim["figure"], against["a"])
    if level == "useless":
        if claim["one_answer"] is not None:
            same = against.get("answer") == claim["one_answer"]
            versus = "" if same else f"; {rival} gets {theirs}"
            said = f'Useless as it stands: it answers "{claim["one_answer"]}" to everything ({figure} {on}{versus}).'
            return said + _others(claim, against)
        how = {"worse": "worse than", "better": "little better than"}.get(against["outcome"], "no better than")
        said = f"Useless as it stands, {how} {rival}: {figure} against {theirs} {on} ({chance(against, TESTS)})."
        return said + _others(claim, against)
    said = f"{OUTCOMES[level].format(rival=rival)}: {figure} against {theirs} {on} ({chance(against, TESTS)})."
    return said + _others(claim, against)


def _others(claim: dict, against: dict) -> str:
    """What the other rivals get."""
    others = [one for one in claim["rivals"] if one is not against and one["kind"] != "nothing"]
    return "".join(" " + _capital(f"{_rival(one)} gets {number(claim['figure'], one['a'])}.") for one in others)


def why(claim: dict) -> str:
    """The figures behind the sentence, with their intervals."""
    parts = []
    if claim["low"] is not None:
        low, high = (number(claim["figure"], claim[end]) for end in ("low", "high"))
        parts.append(f"{FIGURES[claim['figure']]} {low} to {high}")
    for one in claim["rivals"]:
        if one["low"] is not None and one["kind"] != "nothing":
            difference, low, high = (signed(claim["figure"], one[end]) for end in ("difference", "low", "high"))
            parts.append(f"{difference} ({low} to {high}) against {_rival(one)}")
    is_lower = any(one["better"] == "lower" for one in claim["rivals"])
    return f"{'; '.join(parts)} (95 % intervals; {'lower' if is_lower else 'higher'} is better)" if parts else ""


def following(level: str, first: str | None, figure: str | None) -> str:
    """What to do next."""
    if first and first.startswith("--"):  # the folder's checkpoints are those of the settings of before
        return f"next: the same again with {first} --resume false"
    if first:
        return f"next: {first}"
    read = {"perplexity": "its samples", "bits_per_byte": "its samples", "masked_perplexity": "the figures"}
    return {
        "better": f"next: read {read.get(figure or '', 'the worst errors')} in report.html, then try texts of your own",
        "tie": "next: use the simpler one, give it more rows, or say search in place of train",
        "worse": "next: use the simpler one, give it more rows, or say search in place of train",
        "useless": "next: look at the rows: are the answers in the texts?",
        "unsure": "next: more rows to measure on, of more data or by --test_fraction 0.3",
    }[level]


def warning(fact: dict[str, Any]) -> str:
    is_one = len(fact.get("labels") or []) == 1
    pronouns = {"they": "it", "them": "it"} if is_one else {"they": "they", "them": "them"}
    return WARNINGS[fact["kind"]].format_map(
        {name: _shown(name, value, fact) for name, value in fact.items()} | pronouns
    )


def _shown(name: str, value: Any, fact: dict) -> str:
    if name == "labels":
        return some([f'"{one}"' for one in value], most=5, in_all=fact.get("in_all"))
    if name == "figure":
        return _capital(FIGURES[value])
    if name == "rival":
        return _capital(_rival(value)) if fact["kind"] == "too_easy" else _rival(value)
    if name == "chance":
        return ", no more than chance" if value else ""
    if name == "needed":
        return f"{rounded_up(value):,}"
    if name == "difference":
        return number(fact["of"], abs(value))
    if name == "name":
        return "loss" if value == "loss" else FIGURES.get(value, value.replace("_", " "))
    if name == "unit" and fact.get("rows") == 1:
        return str(value).removesuffix("s")
    if name in ("bleu", "copy"):
        return number("bleu", value)
    if name == "share":
        return share(value)
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _rival(one: dict) -> str:
    return RIVALS[one["kind"]].format(answer=one.get("answer"))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def compared(told: str, figure: dict, rows: int, split: str) -> str:
    name = FIGURES.get(figure["name"], figure["name"])
    a, b = (number(figure["name"], figure[side]) for side in "ab")
    p = chance(figure, {})
    if told in ("better", "worse"):
        first, second = ("B", "A") if told == "better" else ("A", "B")
        head = f"{first} is better than {second}, and not by chance"
    elif told == "unsure":
        head = "Too few rows to tell A from B"
    else:
        head = "No difference between A and B that chance would not make"
    direction = "; lower is better" if figure["better"] == "lower" else ""
    return f"{head}: {name} A {a}, B {b} on {rows:,} {split} rows ({p}{direction})."


SHORT = {
    "better": "B is better",
    "worse": "A is better",
    "tie": "no difference beyond chance",
    "unsure": "too few rows to tell",
}

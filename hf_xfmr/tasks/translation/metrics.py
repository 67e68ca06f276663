"""BLEU and chrF by sacreBLEU, with the signatures that make them comparable."""

from collections.abc import Sequence

from sacrebleu.metrics import BLEU, CHRF

# Languages written without spaces; BLEU's words are then sacreBLEU's Chinese ones, or single characters.
_TOKENISERS = {"zh": "zh", "zho": "zh", "cmn": "zh", "yue": "zh", "chinese": "zh"} | dict.fromkeys(
    ("ja", "jpn", "japanese", "th", "tha", "thai", "km", "khm", "lo", "lao", "my", "mya", "bo", "bod"), "char"
)


def bleu_tokeniser(language: str) -> str:
    """sacreBLEU's tokeniser for a target language by its code or name: `zh`, `zh_CN`, `>>cmn_Hans<<`."""
    code = language.strip("<>").replace("-", "_").split("_")[0].casefold()
    return _TOKENISERS.get(code, "13a")


def translation_metrics(
    translations: Sequence[str], references: Sequence[str], *, language: str
) -> tuple[dict[str, float], list[str]]:
    """`bleu` and `chrf` (0 to 100) and `exact_match` (0 to 1) over the corpus, one reference each; and signatures."""
    bleu, chrf = BLEU(tokenize=bleu_tokeniser(language)), CHRF()
    references = list(references)
    figures = {
        "bleu": bleu.corpus_score(list(translations), [references]).score,
        "chrf": chrf.corpus_score(list(translations), [references]).score,
        "exact_match": sum(map(str.__eq__, translations, references)) / max(len(references), 1),
    }
    return figures, [f"BLEU {bleu.get_signature()}", f"chrF {chrf.get_signature()}"]

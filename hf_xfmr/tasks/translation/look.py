"""What a bare dataset would be as a translation: its languages, its pairs, and how to train on them."""

from collections.abc import Sequence
from pathlib import Path

from ...data.part import part_of_rows
from ...data.summary import splits_line
from ...data.table import reading
from ...errors import UserError
from ...run.settings import of_flags
from ..task import LOOKED_AT, Look
from . import languages
from .data import TranslationSettings, pairs_of, split_pairs


def look(name: str, words: Sequence[str]) -> Look | None:
    """Raises `UserError` for pairs that no run could train on; None for what are no pairs of languages."""
    try:
        settings = of_flags(TranslationSettings, ["--dataset", name, *words])
    except UserError:  # flags of another task
        return None
    sure = name.lower().endswith((".tmx", ".tmx.gz", ".tmx.zip")) or settings.source_lang or settings.target_lang
    notes: list[str] = []
    readings: list[reading.Reading] = []
    try:
        pairs = pairs_of(name, settings, notes, readings)
    except UserError as error:
        if sure or (len(_files(name)) == 2 and "--source_lang" in str(error)):
            raise
        return None
    if not sure and not languages.are_names([pairs.source_lang, pairs.target_lang]):
        return None
    splits, origin = split_pairs(pairs, settings, notes)
    parts = {split: part_of_rows(split, rows, LOOKED_AT)[0] for split, rows in splits.items()}
    one, other = (languages.primary(side) for side in (pairs.source_lang, pairs.target_lang))
    lines = [
        *reading.lines(readings),
        f"problem: translation of {pairs.source_lang} to {pairs.target_lang}",
        *notes,
        splits_line(splits, origin, unused=[]),
    ]
    coded = all(len(side) == 2 and languages.is_code(side) for side in (one, other))
    flags = ["--model", f"Helsinki-NLP/opus-mt-{one}-{other}"] if coded else []
    return Look(lines, parts, None, "translate", flags)


def _files(name: str) -> list[str]:
    return [part for part in name.split(",") if Path(part.strip()).is_file()]

"""A GPT-2 or a Transformer under CTranslate2, on the processor; neither torch nor transformers is imported."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..data.regular import read_json, read_small
from ..errors import UserError
from ..plain import one_line
from ..run.finite import NotFinite
from .config import read_config
from .onnx import threads

CONFIG = "model_config.json"  # what a run's config.json says: CTranslate2 has one of its own by that name
SEARCH = "generation_config.json"
VOCABULARIES = {"source": "source_vocabulary.json", "target": "target_vocabulary.json"}
SHARED = ("shared_vocabulary.json", "vocabulary.json")
LARGE = 200 * 2**20


class Writer:
    """As `engines.Writer`, of a folder that `export --to ctranslate2` wrote. Of `options` and of the folder's
    generation_config.json those count that CTranslate2 has."""

    def __init__(self, folder: str, head: str):
        place = Path(folder)
        self.config = read_config(place / CONFIG)
        self.search = read_json(place / SEARCH, "generation config") if (place / SEARCH).is_file() else {}
        self.ends = self.search.get("forced_eos_token_id") is not None  # as the last token there is room for
        self.translates = head == "AutoModelForSeq2SeqLM"
        self.read = _vocabulary(place, "source")
        written = _vocabulary(place, "target")
        self.ids = {token: number for number, token in enumerate(written)}
        self.model = _load(place, self.translates)

    def __call__(
        self,
        rows: Sequence[Sequence[int]],
        options: Mapping[str, Any],
        told: Callable[[int, int], bool] | None = None,
    ) -> list[list[int]]:
        tokens = [[self.read[one] for one in row] for row in rows]
        return self._translated(tokens, options) if self.translates else self._continued(tokens, options, told)

    def running(self) -> None:
        """CTranslate2 takes a batch, and nothing joins it."""

    def _continued(
        self, prompts: list[list[str]], options: Mapping[str, Any], told: Callable[[int, int], bool] | None
    ) -> list[list[int]]:
        sampled = options.get("do_sample", False)
        drawn = {
            "sampling_topk": options.get("top_k", 50),
            "sampling_topp": options.get("top_p", 1.0),
            "sampling_temperature": options.get("temperature", 1.0),
        }
        beams = options.get("num_beams", 1)
        written: list[list[int]] = [[] for _ in prompts]
        for places in _together(prompts, one_length=beams > 1 or told is not None):
            some = [prompts[place] for place in places]
            # CTranslate2 counts what is longer than the shortest prompt to what is written
            least, most = min(map(len, some)), max(map(len, some))
            found = self.model.generate_batch(
                some,
                max_length=options["max_new_tokens"] + most - least,
                beam_size=beams,
                include_prompt_in_result=False,
                return_scores=True,
                callback=None if told is None else _heard(told, places),
                **(drawn if sampled else {"sampling_topk": 1}),
                **self._penalties(options),
            )
            for place, prompt, one in zip(places, some, found, strict=True):
                ids = _finite(one.sequences_ids[0], one.scores[0])
                written[place] = ids[len(prompt) - least :][: options["max_new_tokens"]]
        return written

    def _translated(self, texts: list[list[str]], options: Mapping[str, Any]) -> list[list[int]]:
        found = self.model.translate_batch(
            texts,
            beam_size=options.get("num_beams") or self.search.get("num_beams") or 1,
            max_decoding_length=max(1, options["max_length"] - 1 - self.ends),  # the start is none of them
            max_input_length=0,
            return_scores=True,
            **self._penalties(options),
        )
        return [_finite([self.ids[token] for token in one.hypotheses[0]], one.scores[0]) for one in found]

    def _penalties(self, options: Mapping[str, Any]) -> dict[str, Any]:
        given = {**self.search, **options}
        names = ("length_penalty", "repetition_penalty", "no_repeat_ngram_size")
        return {name: given[name] for name in names if given.get(name) is not None}


def _heard(told: Callable[[int, int], bool], places: list[int]) -> Callable[[Any], bool]:
    return lambda step: bool(told(places[step.batch_id], step.token_id))


def writer(folder: str, head: str) -> Writer:
    return Writer(folder, head)


def _together(prompts: list[list[str]], *, one_length: bool) -> list[list[int]]:
    """The places of prompts that are continued together; of `one_length` where the length counts, as for beams."""
    if not one_length:
        return [list(range(len(prompts)))]
    by_length: dict[int, list[int]] = {}
    for place, prompt in enumerate(prompts):
        by_length.setdefault(len(prompt), []).append(place)
    return list(by_length.values())


def _load(folder: Path, translates: bool) -> Any:
    try:
        import ctranslate2
    except ImportError:
        raise UserError(
            "the engine ctranslate2 needs its package: pip install 'hf_xfmr[export]' or ctranslate2 alone"
        ) from None
    kind = ctranslate2.Translator if translates else ctranslate2.Generator
    try:
        return kind(str(folder), device="cpu", inter_threads=1, intra_threads=threads())
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{folder} can't be read by CTranslate2 ({one_line(error)[:200]}): export it again") from error


def _vocabulary(folder: Path, side: str) -> list[str]:
    """The tokens by their ids."""
    names = (VOCABULARIES[side], *SHARED)
    path = next((folder / name for name in names if (folder / name).is_file()), folder / SHARED[0])
    try:
        tokens = json.loads(read_small(path, "vocabulary", most=LARGE, encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} can't be read ({one_line(error)[:200]}): export the run again") from error
    if not isinstance(tokens, list):
        raise UserError(f"{path} holds a {type(tokens).__name__}, not a list of tokens: export the run again")
    return tokens


def _finite(ids: list[int], score: float) -> list[int]:
    """The ids. Raises `NotFinite` where their logarithm of probability is not finite."""
    if not math.isfinite(score):
        raise NotFinite
    return list(ids)

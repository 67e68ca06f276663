"""What a language model's perplexity means: set against unigrams and bigrams of train, token for token."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...report import verdict
from ...report.comparison import outcome
from ...report.contests import perplexity
from ...report.verdict import few, leaks, learning, loops
from .data import LanguageModelingData
from .metrics import Losses
from .ngrams import Ngrams

FEWEST_DOCUMENTS = 10  # that stand for others; of fewer their windows do
LEAKS = 20_000  # documents of train that are looked through


def of_run(
    corpus: LanguageModelingData,
    split: str | None,
    losses: Losses | None,
    vocabulary: int,
    samples: Sequence[str],
    history: Sequence[Mapping],
    arguments: Mapping[str, Any],
    before: Losses | None = None,
) -> verdict.Verdict:
    """The verdict on the `losses` of a split's documents (None: nothing is held out) in windows of the corpus's
    blocks; `samples` are what the model wrote, `before` the losses on the same before it was trained."""
    if split is None or losses is None:
        return verdict.nothing_held_out()
    size = max(vocabulary, len(corpus.tokenizer))
    ngrams = Ngrams(_train(corpus), size)
    names = ["unigram", "bigram"]
    columns = [losses.windows, _rivals(corpus, split, ngrams)]
    if before is not None:
        names.append("before")
        columns.append([(nats,) for _, nats, _ in before.windows])
    # [windows, 5 or 6]: document, nats, tokens, nats of unigrams, of bigrams and of the model before it was trained
    table = np.array([sum(map(tuple, one), ()) for one in zip(*columns, strict=True)], float)
    documents = np.unique(table[:, 0])
    is_whole = len(documents) >= FEWEST_DOCUMENTS
    unit = "rows" if corpus.template is not None else "documents" if is_whole else "windows"
    if is_whole:
        table = _summed(table)
    nats, tokens = table[:, 1], table[:, 2]
    contests = {name: perplexity("perplexity", table[:, 3 + i], nats, tokens) for i, name in enumerate(names)}
    rivals = [{"kind": name, **contest[0]} for name, contest in contests.items()]
    is_good = all(outcome(one) == "better" for one in rivals)
    heeded = [
        *_leaks(corpus, split),
        *learning.warnings(history, arguments, is_good=is_good),
        *few.warnings(rivals[-1], len(table), unit),
        *loops.warnings(samples[-3:], "samples", least=0.3),
    ]
    if len(documents) == 1:
        heeded.append({"kind": "one_document", "split": split, "rows": len(table), "unit": unit})
    about: dict[str, Any] = {"rows": len(table), "unit": unit, "split": split}
    return verdict.judge(
        "perplexity", rivals[0]["b"], rivals, **about, interval=contests["unigram"][1], warnings=heeded
    )


def _train(corpus: LanguageModelingData) -> Iterator[np.ndarray]:
    """The tokens of train's texts; of a conversation the answers', each with the token before it."""
    if corpus.template is None:
        yield from corpus.token_ids("train")
        return
    for example in corpus.examples("train"):
        edges = np.flatnonzero(np.diff(example.learned.astype(np.int8), prepend=0, append=0))
        for start, end in edges.reshape(-1, 2):
            yield example.ids[max(0, start - 1) : end]


def _rivals(corpus: LanguageModelingData, split: str, ngrams: Ngrams):
    """Nats of unigrams and of bigrams in each window, as `evaluate_in_detail` cuts documents into them."""
    if corpus.template is not None:
        for example in corpus.examples(split):
            yield tuple(float(one[example.learned[1:]].sum()) for one in ngrams.nats(example.ids))
        return
    step = corpus.block_size - 1
    for ids in corpus.token_ids(split):
        both = ngrams.nats(ids)
        for start in range(0, len(ids) - 1, step):
            yield tuple(float(one[start : start + step].sum()) for one in both)


def _summed(table: np.ndarray) -> np.ndarray:
    """The windows of each document together."""
    _, first, which = np.unique(table[:, 0], return_index=True, return_inverse=True)
    sums = np.zeros((len(first), table.shape[1]))
    np.add.at(sums, which, table)
    return sums


def _leaks(corpus: LanguageModelingData, split: str) -> list[dict]:
    train: list[str] = [text for text, _ in zip(corpus.documents["train"], range(LEAKS), strict=False)]
    return leaks.warnings("perplexity", 0.0, 1.0, leaks.share_in_train(list(corpus.documents[split]), train), split)

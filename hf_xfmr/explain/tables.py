"""The tables of the page: small computations on real tensors, a row a token."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch

from ..drawing import attention
from ..drawing.attention import places_of
from ..models.losses import next_tokens
from ..models.versions import CACHE
from ..tasks.pretraining.masking import Masker
from . import small
from .passes import Passes

Words = Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """Column names, rows of texts. The first column is a heading."""

    header: list[str]
    rows: list[list[str]]


def attention_by_hand(passes: Passes, words: Words) -> Table:
    """Scores and weights of one word, head 1 of the encoder's first layer, from the queries and keys themselves."""
    steps, name = passes.transformer_pass.steps, "model.encoder.blocks.0.attention"
    module = passes.transformer.model.get_submodule(name)
    query, key = (module.heads(steps[f"{name}.{part}"].gives[0])[0, 0] for part in ("query", "key"))  # (S, D)
    tokens = passes.shown(passes.batch["input_ids"][0])
    at = places_of(passes.examples["word"], tokens)[0]
    scores = key @ query[at] * module.scaling
    rows = [
        [token, f"{score:.2f}", f"{weight:.3f}"]
        for token, score, weight in zip(tokens, scores.tolist(), scores.softmax(0).tolist(), strict=True)
    ]
    return Table([words["token"], words["score"].format(tokens[at]), words["weight"]], rows)


def backwards(passes: Passes, words: Words) -> Table:
    """What the small Transformer writes for both sentences, greedily, and what it ought to."""
    model, batch = passes.transformer.model, passes.batch
    longest = batch["labels"].size(1)
    with torch.inference_mode():
        out = model.generate(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], max_new_tokens=longest, num_beams=1
        )
    rows = [
        [passes.text(source), passes.text(written), passes.text(label[label >= 0])]
        for source, written, label in zip(batch["input_ids"], out, batch["labels"], strict=True)
    ]
    return Table([words["source"], words["written"], words["right"]], rows)


def masking(passes: Passes, words: Words) -> Table:
    """A row as the masker hides words of it: the first draw, by number, that hides at least two."""
    ids = np.array(passes.bert_row[0])
    masker, whole = Masker(passes.tokenizer), np.ones(len(ids), bool)
    draws = (masker(ids, whole, np.random.default_rng(seed)) for seed in count())
    read, labels = next(draw for draw in draws if (draw[1] >= 0).sum() >= 2)
    rows = [
        [was, now, was if label >= 0 else "–100"]
        for was, now, label in zip(passes.shown(ids), passes.shown(read), labels, strict=True)
    ]
    return Table([words["token"], words["reads"], words["to_predict"]], rows)


def filling(passes: Passes, words: Words) -> Table:
    """The likeliest words for the [MASK] of the example."""
    ids = torch.tensor([passes.tokenizer(passes.examples["fill"])["input_ids"]])
    with torch.inference_mode():
        scores = passes.bert.model(ids).prediction_logits[0]
    place = int((ids[0] == passes.tokenizer.mask_token_id).nonzero())
    shares, best = scores[place].softmax(-1).topk(5)
    rows = [[token, f"{share:.3f}"] for token, share in zip(passes.shown(best), shares.tolist(), strict=True)]
    return Table([words["token"], words["probability"]], rows)


def segments(passes: Passes, words: Words) -> Table:
    """A pair of texts as BERT reads it."""
    ids, kinds = passes.bert_row
    rows = [
        [token, str(position), str(kind)]
        for position, (token, kind) in enumerate(zip(passes.shown(ids), kinds, strict=True))
    ]
    return Table([words["token"], words["position"], words["segment"]], rows)


def following(passes: Passes, words: Words) -> Table:
    """How likely the small BERT takes B to follow A: its own B, and another's."""
    rows = []
    for other in (0, 1):
        first, second = passes.pairs[0][0], passes.pairs[other][1]
        parts = (small.words_of(passes.tokenizer, text) for text in (first, second))
        ids, kinds = small.pretraining_row(passes.tokenizer, *parts)
        with torch.inference_mode():
            out = passes.bert.model(torch.tensor([ids]), token_type_ids=torch.tensor([kinds]))
        rows.append([first, second, f"{float(out.seq_relationship_logits.softmax(-1)[0, 0]):.3f}"])
    return Table(["A", "B", words["follows"]], rows)


def pieces(passes: Passes, words: Words) -> Table:
    """Texts as GPT-2's tokenizer cuts them: known ones, and ones it has never read."""
    rows = []
    for text in (passes.examples["prompt"], *passes.examples["unseen"]):
        ids = small.words_of(passes.bytes, text)
        names = " · ".join(_spelled(passes.bytes, one) for one in ids)
        rows.append([text, str(len(text.encode())), str(len(ids)), names])
    return Table([words["text"], words["bytes"], words["tokens"], words["token_names"]], rows)


def _spelled(tokenizer, token: int) -> str:
    """A token of bytes as its characters, a space as Ġ; part of a character by GPT-2's names for bytes."""
    text = tokenizer.decode([token])
    return tokenizer.convert_ids_to_tokens(token) if "\ufffd" in text else text.replace(" ", "Ġ")


def antecedent_heads(passes: Passes, words: Words) -> Table:
    """The heads that most often find what a pronoun stands for, and how often."""
    found, asked = passes.antecedents
    rows = [
        [
            words["head_of_layer"].format(one.layer, one.head),
            f"{one.hits} / {sum(asked.values())}",
            f"{one.first} / {asked['first']}",
            f"{one.second} / {asked['second']}",
            f"{one.among_words} / {sum(asked.values())}",
            f"{one.share:.0%}",
        ]
        for one in found[:5]
    ]
    return Table(
        [words[name] for name in ("where", "found", "found_first", "found_second", "found_among", "mean_share")], rows
    )


def next_words(passes: Passes, words: Words) -> Table:
    """What GPT-2 is to predict at each position, and the probability it gives to that."""
    ids = passes.gpt2_ids
    targets = next_tokens(ids)[0]
    shares = passes.gpt2_pass.out.logits[0].softmax(-1)
    shown = attention.shown(passes.bytes, ids[0].tolist())
    rows = []
    for place, (token, target) in enumerate(zip(shown, targets.tolist(), strict=True)):
        known = target >= 0
        wanted = shown[place + 1] if known else "–100"
        rows.append([token, wanted, f"{float(shares[place, target]):.3f}" if known else "–"])
    return Table([words["reads"], words["to_predict"], words["probability"]], rows)


def continuation(passes: Passes, words: Words) -> Table:
    """Writing on from the prompt, always the likeliest token, until the end or for twelve tokens."""
    model, tokenizer = passes.gpt2.model, passes.bytes
    ids = [tokenizer.eos_token_id, *small.words_of(tokenizer, passes.examples["prompt"])]
    rows, cache, new = [], None, torch.tensor([ids])
    for _ in range(12):
        with torch.inference_mode():
            out = model(new, past_key_values=cache, use_cache=True)
        cache = getattr(out, CACHE)
        shares, best = out.logits[0, -1].softmax(-1).topk(3)
        names = attention.shown(tokenizer, best.tolist())
        choices = ", ".join(f"{name} {share:.2f}" for name, share in zip(names, shares.tolist(), strict=True))
        rows.append([tokenizer.decode(ids, skip_special_tokens=True), " × ".join(map(str, new.shape)), choices])
        ids.append(int(best[0]))
        new = best[:1].unsqueeze(0)
        if ids[-1] == tokenizer.eos_token_id:
            break
    return Table([words["so_far"], words["computed"], words["likeliest"]], rows)


TABLES: dict[str, Callable[[Passes, Words], Table]] = {
    make.__name__: make
    for make in (
        attention_by_hand,
        backwards,
        antecedent_heads,
        masking,
        filling,
        segments,
        following,
        pieces,
        next_words,
        continuation,
    )
}

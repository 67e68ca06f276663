"""What the verdict says of a language model: against unigrams and bigrams, token for token."""

import numpy as np
import pytest
from oracles import tiny_stock
from transformers import GPT2LMHeadModel

from hf_xfmr.tasks.language_modeling import verdict
from hf_xfmr.tasks.language_modeling.data import LanguageModelingData
from hf_xfmr.tasks.language_modeling.metrics import evaluate_in_detail
from hf_xfmr.tasks.language_modeling.ngrams import Ngrams
from hf_xfmr.tasks.language_modeling.run import for_documents
from hf_xfmr.tokenizer import train

DRAW = np.random.default_rng(0)
TEXTS = ["".join(DRAW.choice(list("aaaab"), 90)) for _ in range(30)]
ARGUMENTS = {"num_train_epochs": 1}


@pytest.fixture(scope="module")
def tokenizer():
    return for_documents(train(TEXTS, "char", vocab_size=None, model_max_length=32))


def test_ngrams_are_probabilities_and_bigrams_know_what_follows():
    ids = np.array([0, 1, 2] * 50)
    ngrams = Ngrams([ids], 5)
    for context in range(5):
        both = [ngrams.nats(np.array([context, token])) for token in range(5)]
        assert sum(np.exp(-alone[0]) for alone, _ in both) == pytest.approx(1)
        assert sum(np.exp(-known[0]) for _, known in both) == pytest.approx(1)
    alone, known = ngrams.nats(ids)
    assert np.exp(alone.mean()) == pytest.approx(3, rel=0.05)
    assert np.exp(known.mean()) < 1.2


def corpus_of(tokenizer, train, validation) -> LanguageModelingData:
    documents = {"train": train, "validation": validation}
    return LanguageModelingData(splits={}, documents=documents, tokenizer=tokenizer, block_size=32, report=[])


@pytest.mark.parametrize(("validation", "unit", "rows"), [(TEXTS[:12], "documents", 12), (TEXTS[:2], "windows", 6)])
def test_a_model_that_has_learned_nothing_is_worse_than_unigrams(tokenizer, validation, unit, rows):
    model = tiny_stock(GPT2LMHeadModel, vocab_size=len(tokenizer), n_positions=32)
    _, losses = evaluate_in_detail(model, tokenizer, validation, window=32)
    corpus = corpus_of(tokenizer, TEXTS, validation)
    found = verdict.of_run(corpus, "validation", losses, len(tokenizer), ["ab" * 40], [], ARGUMENTS)
    assert found["level"] == "useless"
    assert found["sentence"].startswith("Useless as it stands, worse than guessing tokens by how common they are")
    assert f"on {rows} validation {unit}" in found["sentence"]
    said = [one["text"] for one in found["warnings"]]
    assert "100 % of the validation texts stand in train too, so the figures are too good" in said
    assert "1 of 1 samples go round in circles (the same words again and again)" in said


def test_a_model_that_knows_more_than_pairs_is_better(tokenizer):
    _, losses = evaluate_in_detail(
        tiny_stock(GPT2LMHeadModel, vocab_size=len(tokenizer), n_positions=32), tokenizer, TEXTS[:12], window=32
    )
    knowing = losses._replace(windows=[(document, 0.1 * tokens, tokens) for document, _, tokens in losses.windows])
    corpus = corpus_of(tokenizer, TEXTS[12:], TEXTS[:12])
    found = verdict.of_run(corpus, "validation", knowing, len(tokenizer), [], [], ARGUMENTS)
    assert found["level"] == "better"
    assert found["sentence"].startswith(
        "Better than a bigram model of train, and not by chance: perplexity 1.1 against"
    )
    assert verdict.of_run(corpus, None, None, 3, [], [], ARGUMENTS)["level"] == "unsure"

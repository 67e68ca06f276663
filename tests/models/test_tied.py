"""The gradient of a matrix that looks words up and scores them, in one piece: the numbers of two pieces, less memory,
and everything that hangs on the matrix or its module still gets what it got."""

import pytest
import torch
import transformers
from oracles import same_gradients, same_to_rounding, tiny_stock, twin
from torch import nn

from hf_xfmr.bench.measure import peak_bytes
from hf_xfmr.models import tied
from hf_xfmr.models.bert import XfmrBertForMaskedLM, XfmrBertForPreTraining
from hf_xfmr.models.gpt2 import XfmrGPT2Config, XfmrGPT2ForCausalLM
from hf_xfmr.models.transformer import XfmrForConditionalGeneration

MODELS = [
    (transformers.BertForMaskedLM, XfmrBertForMaskedLM),
    (transformers.BertForPreTraining, XfmrBertForPreTraining),
    (transformers.GPT2LMHeadModel, XfmrGPT2ForCausalLM),
    (transformers.MarianMTModel, XfmrForConditionalGeneration),
]


@pytest.fixture
def pieces(monkeypatch) -> list[bool]:
    """Of each way back through a matrix of two uses, whether it was looked up and whether it scored."""
    seen, backward = [], tied._TwoUses.backward
    monkeypatch.setattr(
        tied._TwoUses,
        "backward",
        lambda ctx, words, scores: (seen.append((words is not None, scores is not None)), backward(ctx, words, scores))[
            1
        ],
    )
    return seen


def batch_of(our_class: type) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    ids = torch.randint(3, 20, (5, 9))  # words that come again
    mask = torch.ones_like(ids)
    mask[1, 6:] = mask[3, 2:] = 0
    batch = {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, -100)}
    return batch | ({"next_sentence_label": torch.arange(5) % 2} if our_class is XfmrBertForPreTraining else {})


@pytest.mark.parametrize(("stock_class", "our_class"), MODELS, ids=lambda one: one.__name__)
def test_gradients_are_stocks(pieces, stock_class, our_class):
    stock = tiny_stock(stock_class).train()
    ours, batch = twin(our_class, stock).train(), batch_of(our_class)
    for _ in range(2):  # the second is added to the first
        for model in (stock, ours):
            model(**batch).loss.backward()
    assert pieces == [(True, True)] * 2
    same_gradients(ours, stock)


def causal(**settings) -> XfmrGPT2ForCausalLM:
    torch.manual_seed(0)
    sizes = {"vocab_size": 60, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 20}
    none = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return XfmrGPT2ForCausalLM(XfmrGPT2Config(**sizes, **none, **settings)).train()


def gradient(model: nn.Module, **more) -> torch.Tensor:
    model.zero_grad()
    ids = torch.arange(16).view(2, 8) % 7
    model(**{"input_ids": ids, "labels": ids, **more}).loss.backward()
    return model.transformer.word.weight.grad


def test_hooks_on_the_matrix_and_its_module_get_what_they_got(pieces):
    model = causal()
    expected, seen, outs = gradient(model), [], []
    handle = model.transformer.word.weight.register_hook(lambda g: seen.append(g.clone()))
    same_to_rounding(gradient(model), expected)
    same_to_rounding(seen[0], expected)
    handle.remove()
    handle = model.transformer.word.register_forward_hook(lambda m, i, out: outs.append(out))
    same_to_rounding(gradient(model), expected)
    handle.remove()
    assert len(outs) == 1
    assert pieces == [(True, True)] * 2  # with a hook on the module it is called


def test_word_vectors_that_are_given_and_matrices_apart(pieces):
    model = causal()
    ids = torch.arange(16).view(2, 8) % 7
    vectors = model.transformer.word(ids).detach()
    of_scores = gradient(model, input_ids=None, inputs_embeds=vectors, labels=ids)
    assert of_scores.abs().sum(1).all()  # of every word's score
    apart = causal(tie_word_embeddings=False)
    of_words = gradient(apart)
    assert of_words.layout == torch.strided
    assert not of_words[7:].any()
    assert pieces == []


def test_a_frozen_matrix_stays_frozen_and_the_rest_learns():
    model = causal()
    model.transformer.word.weight.requires_grad_(False)
    ids = torch.arange(16).view(2, 8) % 7
    model(input_ids=ids, labels=ids).loss.backward()
    assert model.transformer.word.weight.grad is None
    assert model.transformer.position.weight.grad.any()


def test_a_forward_pass_that_fails_leaves_nothing_behind():
    model = causal()
    with pytest.raises(IndexError):
        model(input_ids=torch.tensor([[1, 60]]), labels=torch.tensor([[1, 2]]))
    assert tied._uses.get() is None
    assert gradient(model).any()


def test_it_holds_less_memory(monkeypatch):
    torch.manual_seed(0)
    config = XfmrGPT2Config(vocab_size=40_000, n_embd=64, n_layer=1, n_head=2, n_positions=20)
    model, matrix = XfmrGPT2ForCausalLM(config).train(), 40_000 * 64 * 4

    def step() -> None:
        gradient(model)

    step()
    model.zero_grad()
    in_one = peak_bytes(step, torch.device("cpu"))
    monkeypatch.setattr("hf_xfmr.models.gpt2.look_up", lambda words, ids: words(ids))
    model.zero_grad()
    apart = peak_bytes(step, torch.device("cpu"))
    assert apart - in_one > 0.8 * matrix

"""A tagger of new weights: how it begins, and how long it trains."""

import torch
from transformers import BertForTokenClassification

from hf_xfmr.models.bert import XfmrBertConfig, XfmrBertForTokenClassification
from hf_xfmr.tasks.tagging.new_weights import new_model


def test_new_weights_know_from_the_first_which_words_are_neighbours():
    """A word's tag is told by the word before it, which positions that are drawn at random have to find."""

    def loss(begun) -> float:
        torch.manual_seed(0)
        sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
        still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        config = XfmrBertConfig(vocab_size=50, max_position_embeddings=32, num_labels=2, **sizes, **still)
        model = begun(XfmrBertForTokenClassification, config).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
        for _ in range(280):
            words = torch.randint(1, 50, (16, 24))
            tags = torch.nn.functional.pad((words[:, :-1] < 10).long(), (1, 0))
            loss = model(words, labels=tags).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        return loss.item()

    assert loss(new_model) < 0.1
    assert loss(lambda made, config: made(config)) > 0.3  # it has learned no more than how often each tag is


def test_stock_loads_what_began_so(tmp_path):
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    model = new_model(XfmrBertForTokenClassification, XfmrBertConfig(vocab_size=9, max_position_embeddings=8, **sizes))
    model.save_pretrained(tmp_path)
    words = torch.tensor([[1, 2, 3, 4]])
    stock = BertForTokenClassification.from_pretrained(tmp_path).eval()
    assert torch.allclose(stock(words).logits, model.eval()(words).logits, atol=1e-5)

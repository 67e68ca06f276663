"""What is timed: each function sets up one contest between a stock class and ours, which hold the same tensors.

A step is forward, backward and fused AdamW; dropout is 0.1 as in the checkpoints' configs. In bfloat16 a step computes
under autocast, as under Trainer, and a model that only predicts holds its weights in bfloat16. Ids are real where the
sample's tokenizer has the model's vocabulary, else drawn at random; lengths are always those of real texts: reviews in
their order of arrival, sentences drawn at random from a corpus that begins with the short ones.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedModel

from .. import samples
from ..models.bert import XfmrBertForMaskedLM, XfmrBertForSequenceClassification
from ..models.gpt2 import XfmrGPT2ForCausalLM
from ..models.losses import IGNORE
from ..models.transformer import XfmrForConditionalGeneration
from ..models.vocabulary import release_memory
from ..tasks.classification.probe import Probe
from .measure import Work
from .peers import ctranslate2_of, onnxruntime_of

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Setting:
    """How a contest is set up. `layers`: of BERT-base and GPT-2 small; the Transformer has half as many a side."""

    device: torch.device
    dtype: torch.dtype
    layers: int = 12

    def computing(self):
        """What Trainer computes in: autocast where it is not float32."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def has_peers(self) -> bool:
        """Whether others take part, who compute in float32 on a CPU."""
        return self.device.type == "cpu" and self.dtype == torch.float32


@dataclass
class Contest:
    """Contestants that do the same work in turns; `ours` is compared with each of the others."""

    contestants: dict[str, Work]
    tokens: Callable[[int], int]  # real tokens of a turn
    flops: Callable[[int], float] | None = None  # of a turn's matrix products, were nothing done in vain
    memory: dict[str, Callable[[], object]] = field(default_factory=dict)  # one step each, whose peak is compared


def bert_train(setting: Setting, rows: int = 32) -> Contest:
    """BERT-base classification step, batch 32, movie reviews, padded to the longest of the batch."""
    stock, ours = _pair(transformers.BertForSequenceClassification, XfmrBertForSequenceClassification, setting)
    batches = [_padded(ids, 0, setting) for ids in _chunks(_reviews(), rows)]
    for batch in batches:
        batch["labels"] = batch["input_ids"].sum(1) % 2
    wide = [
        {
            name: nn.functional.pad(tensor, (0, 128 - tensor.shape[1])) if tensor.dim() == 2 else tensor
            for name, tensor in batch.items()
        }
        for batch in batches
    ]
    body = sum(p.numel() for p in ours.bert.blocks.parameters())
    train_stock, train_ours = _training(stock, setting), _training(ours, setting)
    return Contest(
        {
            "stock": lambda turn: train_stock(batches[turn % len(batches)]),
            "ours": lambda turn: train_ours(batches[turn % len(batches)]),
            "stock, padded to 128": lambda turn: train_stock(wide[turn % len(wide)]),
        },
        tokens=lambda turn: int(batches[turn % len(batches)]["attention_mask"].sum()),
        flops=lambda turn: 6.0 * body * int(batches[turn % len(batches)]["attention_mask"].sum()),
    )


def bert_infer(setting: Setting, rows: int = 64) -> Contest:
    """BERT-base classification, 1,000 movie reviews in their order, batch 64."""
    return _inference(setting, _chunks(_reviews()[:1000], rows))


def bert_infer_sorted(setting: Setting, rows: int = 64) -> Contest:
    """The same reviews sorted by length for all contestants, so that hardly any batch has padding; batches of all
    lengths in a drawn order."""
    batches = _chunks(sorted(_reviews()[:1000], key=len), rows)
    random.Random(0).shuffle(batches)
    return _inference(setting, batches)


def _inference(setting: Setting, parts: Sequence) -> Contest:
    """Logits, a batch a turn."""
    stock, ours = _pair(transformers.BertForSequenceClassification, XfmrBertForSequenceClassification, setting)
    batches = [_padded(ids, 0, setting) for ids in parts]

    def inference(model: PreTrainedModel) -> Work:
        model.eval().to(setting.dtype)

        def work(turn: int):
            with torch.inference_mode():
                return model(**batches[turn % len(batches)]).logits

        return work

    contestants = {"stock": inference(stock), "ours": inference(ours)}
    if setting.has_peers():
        peer = onnxruntime_of(stock, batches[0])
        if peer is not None:
            contestants["ONNX Runtime"] = lambda turn: peer(batches[turn % len(batches)])
    return Contest(contestants, tokens=lambda turn: int(batches[turn % len(batches)]["attention_mask"].sum()))


def bert_mlm(setting: Setting, rows: int = 32) -> Contest:
    """BERT-base masked-word step, 15 % of the words masked, 30,522 in the vocabulary, batch 32 of movie reviews."""
    stock, ours = _pair(transformers.BertForMaskedLM, XfmrBertForMaskedLM, setting)
    generator = torch.Generator().manual_seed(0)
    batches = [_padded(ids, 0, setting) for ids in _chunks(_reviews(), rows)]
    for batch in batches:
        ids = batch["input_ids"]
        masked = torch.rand(ids.shape, generator=generator).to(ids.device) < 0.15
        batch["labels"] = ids.masked_fill(~masked | (batch["attention_mask"] == 0), IGNORE)
    return _language(stock, ours, batches, setting)


def gpt2_rows(setting: Setting, rows: int = 4, length: int = 256) -> Contest:
    """GPT-2 small step, 4 full rows of 256 tokens: no padding at all."""
    stock, ours = _pair(transformers.GPT2LMHeadModel, XfmrGPT2ForCausalLM, setting)
    batches = [_padded(_random(stock, [length] * rows), 0, setting) for _ in range(8)]
    for batch in batches:
        batch["labels"] = batch["input_ids"]
    return _language(stock, ours, batches, setting)


def gpt2_documents(setting: Setting, rows: int = 32) -> Contest:
    """GPT-2 small step, 32 documents of the lengths of movie reviews, padded on the right."""
    stock, ours = _pair(transformers.GPT2LMHeadModel, XfmrGPT2ForCausalLM, setting)
    lengths = [len(ids) for ids in _reviews()]
    batches = [_padded(_random(stock, part), 0, setting) for part in _chunks(lengths, rows)[:32]]
    for batch in batches:
        batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, IGNORE)
    return _language(stock, ours, batches, setting)


def translation_train(setting: Setting, rows: int = 96) -> Contest:
    """Transformer-base translation step, 96 English-French pairs (860 tokens a side), a token a word or mark."""
    stock, ours = _pair(transformers.MarianMTModel, XfmrForConditionalGeneration, setting)
    batches = []
    for part in _chunks(_sentence_lengths(), rows)[:32]:
        batch = _padded(_random(stock, [source for source, _ in part]), 0, setting)
        target = _padded(_random(stock, [target for _, target in part]), 0, setting)
        batch["labels"] = target["input_ids"].masked_fill(target["attention_mask"] == 0, IGNORE)
        batches.append(batch)
    return _language(stock, ours, batches, setting)


def gpt2_generate(setting: Setting, rows: int = 1, new_tokens: int = 64) -> Contest:
    """GPT-2 small, 64 new tokens, greedy, one prompt of 32 tokens."""
    return _generation(setting, [32] * rows, new_tokens)


def gpt2_generate_batch(setting: Setting, rows: int = 16, new_tokens: int = 32) -> Contest:
    """GPT-2 small, 32 new tokens each, greedy, 16 prompts of unequal lengths."""
    return _generation(setting, [len(ids) for ids in _reviews()[:rows]], new_tokens)


def translation_beam(setting: Setting, rows: int = 25, beams: int = 4) -> Contest:
    """Transformer-base, beam search with 4 beams, 25 English sentences a turn, as long as their translations."""
    stock, ours = _pair(transformers.MarianMTModel, XfmrForConditionalGeneration, setting)
    parts = _chunks(_sentence_lengths(), rows)[:4]
    batches = [_padded(_random(stock, [source for source, _ in part]), 0, setting) for part in parts]
    ends = [EndsAt([target for _, target in part], stock.config.eos_token_id, beams) for part in parts]
    search = [
        {"num_beams": beams, "max_new_tokens": max(target for _, target in part), "logits_processor": [end]}
        for part, end in zip(parts, ends, strict=True)
    ]
    words = [sum(target for _, target in part) for part in parts]
    return _generating(stock, ours, batches, setting, search, words)


class EndsAt(transformers.LogitsProcessor):
    """Ends each of a batch's texts when it has a length of its own, the end mark counted, and no sooner, since random
    weights don't know of ends. The rows of a text's beams stand together."""

    def __init__(self, lengths: Sequence[int], eos_token_id: int, beams: int = 1, prompt: int = 1):
        """lengths: of each text; prompt: how many tokens stand before it."""
        self.lengths = torch.tensor(lengths).repeat_interleave(beams)
        self.eos_token_id, self.prompt = eos_token_id, prompt

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        scores[:, self.eos_token_id] = -torch.inf
        ends = (self.lengths == input_ids.size(1) - self.prompt + 1).to(scores.device)
        scores[ends] = -torch.inf
        scores[ends, self.eos_token_id] = 0.0
        return scores


def frozen_encoder(setting: Setting, rows: int = 32) -> Contest:
    """A linear layer on [CLS] of a frozen BERT-base, from the second epoch on: ours has the features by then."""
    stock, ours = _pair(transformers.BertForSequenceClassification, XfmrBertForSequenceClassification, setting)
    stock.bert.requires_grad_(False)
    batches = [_padded(ids, 0, setting) for ids in _chunks(_reviews(), rows)[:32]]
    probe = Probe(ours)
    features = torch.randn(rows, ours.config.hidden_size, device=setting.device)
    for batch in batches:
        batch["labels"] = batch["input_ids"].sum(1) % 2
    train_stock, train_probe = _training(stock, setting), _training(probe, setting)
    return Contest(
        {
            "stock": lambda turn: train_stock(batches[turn % len(batches)]),
            "ours": lambda turn: train_probe({"features": features, "labels": batches[turn % len(batches)]["labels"]}),
        },
        tokens=lambda turn: int(batches[turn % len(batches)]["attention_mask"].sum()),
    )


def _pair(stock_class: Any, our_class: Any, setting: Setting) -> tuple[Any, Any]:
    """A new stock model and ours with the very same tensors."""
    torch.manual_seed(0)
    layers = setting.layers
    if our_class is XfmrForConditionalGeneration:
        sides = {"encoder_layers": layers // 2, "decoder_layers": layers // 2, "decoder_vocab_size": 37_000}
        sizes = {"vocab_size": 37_000, "d_model": 512, "encoder_attention_heads": 8, "decoder_attention_heads": 8}
        widths = {"encoder_ffn_dim": 2048, "decoder_ffn_dim": 2048, "activation_function": "relu", "dropout": 0.1}
        tokens = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "forced_eos_token_id": None}
        config = stock_class.config_class(**sides, **sizes, **widths, **tokens, scale_embedding=True)
    elif our_class is XfmrGPT2ForCausalLM:
        config = stock_class.config_class(n_layer=layers)
    else:
        config = stock_class.config_class(num_hidden_layers=layers)
    stock = stock_class(config).to(setting.device)
    own_config = our_class.config_class.from_dict(config.to_dict())
    ours = our_class.from_pretrained(None, config=own_config, state_dict=stock.state_dict())
    return stock, ours.to(setting.device)


def _training(model: Any, setting: Setting) -> Callable[[Batch], Tensor]:
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-6, fused=True)

    def step(batch: Batch) -> Tensor:
        with setting.computing():
            loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def _language(stock: PreTrainedModel, ours: PreTrainedModel, batches: Sequence[Batch], setting: Setting) -> Contest:
    """A training contest of models with a vocabulary, whose memory is compared too."""
    train_stock, train_ours = _training(stock, setting), _training(ours, setting)

    def ours_from_nothing() -> Tensor:
        release_memory()  # else what stays from step to step would not be counted
        return train_ours(batches[0])

    return Contest(
        {
            "stock": lambda turn: train_stock(batches[turn % len(batches)]),
            "ours": lambda turn: train_ours(batches[turn % len(batches)]),
        },
        tokens=lambda turn: int(batches[turn % len(batches)]["attention_mask"].sum()),
        memory={"stock": lambda: train_stock(batches[0]), "ours": ours_from_nothing},
    )


def _generation(setting: Setting, lengths: Sequence[int], new_tokens: int) -> Contest:
    stock, ours = _pair(transformers.GPT2LMHeadModel, XfmrGPT2ForCausalLM, setting)
    rows = _random(stock, lengths)
    peer = None
    if setting.has_peers():
        peer = ctranslate2_of(stock, rows, new_tokens)
    batch = _padded(rows, 0, setting, left=True)
    made = _generating(stock, ours, [batch], setting, [{"max_new_tokens": new_tokens}], [new_tokens * len(lengths)])
    if peer is not None:
        made.contestants["CTranslate2"] = lambda turn: peer()
    return made


def _generating(
    stock: PreTrainedModel,
    ours: PreTrainedModel,
    batches: Sequence[Batch],
    setting: Setting,
    search: Sequence[dict],
    words: Sequence[int],
) -> Contest:
    """A contest of `generate`; each batch has its own search, which writes so many words in all."""

    def generation(model: Any) -> Work:
        model.eval().to(setting.dtype)
        if not model.config.is_encoder_decoder:
            model.generation_config.eos_token_id = None  # weights are random: what ends a text says nothing

        def work(turn: int):
            number = turn % len(batches)
            with torch.inference_mode():
                return model.generate(**batches[number], **search[number], do_sample=False, pad_token_id=0)

        return work

    return Contest(
        {"stock": generation(stock), "ours": generation(ours)},
        tokens=lambda turn: words[turn % len(batches)],
    )


def _padded(rows: Sequence[Sequence[int]], padding: int, setting: Setting, *, left: bool = False) -> Batch:
    side = "left" if left else "right"
    pad = torch.nn.utils.rnn.pad_sequence
    ids = pad([torch.tensor(row) for row in rows], batch_first=True, padding_value=padding, padding_side=side)
    mask = pad([torch.ones(len(row), dtype=torch.int64) for row in rows], batch_first=True, padding_side=side)
    return {"input_ids": ids.to(setting.device), "attention_mask": mask.to(setting.device)}


def _chunks(rows: Sequence, size: int) -> list:
    return [rows[start : start + size] for start in range(0, len(rows) - size + 1, size)]


def _random(model: PreTrainedModel, lengths: Sequence[int]) -> list[list[int]]:
    draw = random.Random(0)
    return [draw.choices(range(10, model.config.vocab_size), k=length) for length in lengths]


@cache
def _reviews(rows: int = 2048) -> list[list[int]]:
    """The ids of movie reviews, in BERT's uncased English vocabulary."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(samples.checkpoint("sample:minilm"))
    texts = samples.load("sample:movie-reviews")["train"]["text"][:rows]
    return tokenizer(texts, truncation=True, max_length=128)["input_ids"]


@cache
def _sentence_lengths(rows: int = 8192) -> list[tuple[int, int]]:
    """How many words and marks English sentences and their French translations have, the end mark counted; drawn at
    random, since the corpus has the short ones first."""
    pairs = samples.load("sample:tatoeba-en-fr")["train"].shuffle(seed=0)[:rows]["translation"]

    def length(sentence: str) -> int:
        return len(re.findall(r"\w+|[^\w\s]", sentence)) + 1

    return [(length(pair["en"]), length(pair["fr"])) for pair in pairs]


WORKLOADS: dict[str, Callable[[Setting], Contest]] = {
    "bert-train": bert_train,
    "bert-infer": bert_infer,
    "bert-infer-sorted": bert_infer_sorted,
    "bert-mlm": bert_mlm,
    "gpt2-rows": gpt2_rows,
    "gpt2-documents": gpt2_documents,
    "translation-train": translation_train,
    "gpt2-generate": gpt2_generate,
    "gpt2-generate-batch": gpt2_generate_batch,
    "translation-beam": translation_beam,
    "frozen-encoder": frozen_encoder,
}

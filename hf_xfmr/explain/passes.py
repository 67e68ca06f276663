"""The models the page is drawn from, and one real pass through each. Each is made when it is first asked for."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import torch
from transformers import AutoTokenizer

from ..drawing import attention
from ..models.bert import XfmrBertModel
from ..run import loading
from . import small
from .antecedents import Found, measure
from .small import Small, words_of
from .trace import Trace, trace


class Passes:
    """What a language's example sentences become in the models.

    Args:
        examples: `sentence`, one to look at; `pairs`, texts of two parts each; `fill`, a text with [MASK]; `word`, one
            of the sentence; `prompt`, the beginning of one of the pairs; `between_words`, a space or nothing;
            `unseen`, texts that none of the models has read; `bpe_tokens`, how many GPT-2's tokenizer has;
            `antecedents`, sentences as `measure` wants them.
        bert: a BERT whose attention is drawn, as a folder, sample or Hub name; None: the small one.
        finder: a BERT that is asked which of its heads finds what a pronoun stands for; None: the one that is drawn.
        steps: how long each small model learns.
    """

    def __init__(
        self,
        examples: Mapping,
        *,
        bert: str | None = None,
        finder: str | None = None,
        steps: Mapping[str, int] = small.STEPS,
    ):
        self.examples, self.bert_name, self.finder_name, self.steps = examples, bert, finder or bert, steps
        self.pairs: Sequence[Sequence[str]] = examples["pairs"]

    @cached_property
    def tokenizer(self):
        return small.make_tokenizer([self.examples["sentence"], *(text for pair in self.pairs for text in pair)])

    @cached_property
    def bytes(self):
        """GPT-2's own kind of tokenizer, of the pairs."""
        return small.make_byte_tokenizer([" ".join(pair) for pair in self.pairs], self.examples["bpe_tokens"])

    @cached_property
    def transformer(self) -> Small:
        return small.transformer(self.tokenizer, self.sources, steps=self.steps["transformer"])

    @cached_property
    def bert(self) -> Small:
        return small.bert(self.tokenizer, self.pairs, steps=self.steps["bert"])

    @cached_property
    def gpt2(self) -> Small:
        return small.gpt2(self.bytes, self.pairs, steps=self.steps["gpt2"])

    @property
    def sources(self) -> list[str]:
        """The two sentences the Transformer reads: the second is shorter, and is padded."""
        return [self.examples["sentence"], min((text for pair in self.pairs for text in pair), key=self._length)]

    def _length(self, text: str) -> int:
        return len(words_of(self.tokenizer, text))

    def shown(self, ids) -> list[str]:
        """Ids as a reader knows them."""
        return attention.shown(self.tokenizer, [int(one) for one in ids])

    def text(self, ids) -> str:
        """Ids as a text, without special tokens, its words parted as the language does it."""
        special = self.tokenizer.all_special_ids
        return self.examples["between_words"].join(self.shown(one for one in ids if int(one) not in special))

    @cached_property
    def batch(self) -> dict[str, torch.Tensor]:
        """Two sentences, the shorter padded on the right: input_ids and attention_mask [2, S], and as labels [2, T]
        their words backwards."""
        words = [words_of(self.tokenizer, text) for text in self.sources]
        end, pad = self.tokenizer.sep_token_id, self.tokenizer.pad_token_id
        width = max(map(len, words)) + 1
        ids = [[*one, end] + [pad] * (width - len(one) - 1) for one in words]
        labels = [[*reversed(one), end] + [-100] * (width - len(one) - 1) for one in words]
        ids_tensor = torch.tensor(ids)
        return {"input_ids": ids_tensor, "attention_mask": (ids_tensor != pad).long(), "labels": torch.tensor(labels)}

    @cached_property
    def transformer_pass(self) -> Trace:
        model = self.transformer.model
        with attention.eager(model):
            return trace(model, **self.batch, output_attentions=True, use_cache=False)

    @cached_property
    def bert_row(self) -> tuple[list[int], list[int]]:
        """The first pair as BERT reads it: ids and segments."""
        return small.pretraining_row(self.tokenizer, *(words_of(self.tokenizer, text) for text in self.pairs[0]))

    @cached_property
    def bert_pass(self) -> Trace:
        ids, segments = self.bert_row
        with attention.eager(self.bert.model):
            return trace(
                self.bert.model,
                input_ids=torch.tensor([ids]),
                token_type_ids=torch.tensor([segments]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                output_attentions=True,
            )

    @cached_property
    def gpt2_ids(self) -> torch.Tensor:
        """The first pair as one text, [1, T], as GPT-2 reads it."""
        return torch.tensor([small.document(self.bytes, " ".join(self.pairs[0]))])

    @cached_property
    def gpt2_pass(self) -> Trace:
        with attention.eager(self.gpt2.model):
            return trace(self.gpt2.model, input_ids=self.gpt2_ids, output_attentions=True, use_cache=False)

    @cached_property
    def finder(self) -> tuple:
        """The BERT that is asked for antecedents, as (name or None, model, tokenizer)."""
        if self.finder_name is None or self.finder_name == self.bert_name:
            return self.reader
        return _loaded(self.finder_name)

    @cached_property
    def antecedents(self) -> tuple[list[Found], dict[str, int]]:
        """The heads of `finder`, the best first, measured on the sentences whose words it knows; and how many."""
        _, model, tokenizer = self.finder
        return measure(model, tokenizer, self.examples["antecedents"])

    def pass_of(self, chapter: str) -> Trace:
        return {"transformer": self.transformer_pass, "bert": self.bert_pass, "gpt2": self.gpt2_pass}[chapter]

    @cached_property
    def reader(self):
        """The BERT whose attention and positions are drawn: the one that was named, or else the small one, as
        (name or None, model, tokenizer)."""
        if self.bert_name is None:
            return None, self.bert.model.bert, self.tokenizer
        return _loaded(self.bert_name)

    @cached_property
    def reading(self) -> tuple[list[str], list]:
        """The sentence's tokens, and the weights [H, T, T] of each layer of `reader`."""
        _, model, tokenizer = self.reader
        return attention.read(model, tokenizer, self.examples["sentence"])


def _loaded(name: str) -> tuple:
    """A BERT as (name, model, tokenizer)."""
    tokenizer = loading.from_pretrained(AutoTokenizer, name)
    return name, loading.to_use(XfmrBertModel, name, unused="pooler"), tokenizer

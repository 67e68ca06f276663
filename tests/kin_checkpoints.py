"""Tiny random checkpoints of BERT's kin as stock saves them, with the kind of tokenizer that each has."""

import json
from pathlib import Path

from oracles import kin_classes, tiny_stock
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertTokenizer, PreTrainedTokenizerFast, RobertaTokenizer, XLMRobertaTokenizer

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def byte_level(texts: list[str], size: int = 400, add_prefix_space: bool = False) -> PreTrainedTokenizerFast:
    """Pairs of bytes, spaces before words, as RoBERTa's; before a text's first word too with `add_prefix_space`."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[*SPECIAL, "<mask>"], initial_alphabet=alphabet, show_progress=False
    )
    raw.train_from_iterator(texts, trainer)
    model = json.loads(raw.to_str())["model"]
    merges = [tuple(one) for one in model["merges"]]
    made = {"model_max_length": 62, "add_prefix_space": add_prefix_space}
    return RobertaTokenizer(vocab=model["vocab"], merges=merges, **made)


def unigram(texts: list[str], size: int = 300) -> PreTrainedTokenizerFast:
    """Unigram pieces in which a space is a letter, as XLM-RoBERTa's."""
    raw = Tokenizer(models.Unigram())
    raw.normalizer = normalizers.NFKC()
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.decoder, raw.post_processor = decoders.Metaspace(), processors.ByteLevel()
    trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    raw.train_from_iterator(texts, trainer)
    vocab = [tuple(one) for one in json.loads(raw.to_str())["model"]["vocab"]]
    return XLMRobertaTokenizer(vocab=[*vocab, ("<mask>", 0.0)], model_max_length=62)


def wordpiece(texts: list[str]) -> PreTrainedTokenizerFast:
    """Whole words, as BERT's of few; with token types, which DistilBERT has no use for."""
    words = sorted({word for text in texts for word in text.lower().replace("!", " ! ").split()})
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    return BertTokenizer(vocab={token: number for number, token in enumerate(tokens)}, model_max_length=62)


TOKENIZERS = {"Roberta": byte_level, "XLMRoberta": unigram, "DistilBert": wordpiece}


def make(folder: Path, family: str, texts: list[str], **of_tokenizer) -> Path:
    """A masked language model of 62 tokens a row, without a word of ours."""
    tokenizer = TOKENIZERS[family](texts, **of_tokenizer)
    places = 62 if family == "DistilBert" else 64
    stock = tiny_stock(
        kin_classes(family, "ForMaskedLM")[0],
        vocab_size=len(tokenizer),
        max_position_embeddings=places,
        pad_token_id=tokenizer.pad_token_id,
        **({} if family == "DistilBert" else {"type_vocab_size": 1}),
    )
    stock.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder

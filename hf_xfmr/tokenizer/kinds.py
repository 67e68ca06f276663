"""Learning a tokenizer of each kind from texts."""

import io
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

import sentencepiece
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from ..errors import UserError
from ..processes import once
from . import chunks, unigram, words
from .chunks import between_spaces, with_space_before
from .kept import kept
from .unigram import unigram_normalizer, unigram_splits
from .words import count_words, read

BERT_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
GPT2_TOKENS = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|pad|>"}
MARIAN_TOKENS = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


@once
def train(
    texts: Iterable[str],
    kind: str,
    *,
    model_max_length: int,
    vocab_size: int | None = None,
    lowercase: bool = False,
    min_frequency: int | None = None,
    length: int | None = None,
    keep: bool = False,
) -> PreTrainedTokenizerFast:
    """Train a tokenizer. The same texts give the same tokenizer.

    The texts are read once and not kept. Learning takes the memory of the different words, of which a long corpus's
    rarest are dropped, with a warning; `char` only that of the alphabet.

    Args:
        texts: any iterable of strings.
        kind: `wordpiece`, `bpe`, `unigram` or `char`; the package's docstring says what each is.
        model_max_length: the longest sequence the model takes, in tokens with the special ones.
        vocab_size: the most tokens to have, special ones included; fewer if the texts do not give as many.
            `char` may leave it out.
        lowercase: lower the letters first (for `wordpiece`, strip accents too, as BERT does).
        min_frequency: how often two pieces must stand side by side to become one (`wordpiece` and `bpe`; default 2).
        length: the number of texts, for the progress bar.
        keep: of a list of many texts, keep on disk what is learned, for the next start with the same (`keeping.py`).

    Raises:
        UserError: an unknown kind or wrong option; no text; an item that is not a string; a vocabulary too small for
            the special tokens and the alphabet.
    """
    if kind not in KINDS:
        raise UserError(f"tokenizer kind {kind!r} is unknown: choose one of {', '.join(KINDS)}")
    if model_max_length < 1:
        raise UserError(f"model_max_length is {model_max_length}: give the model's longest sequence, in tokens")
    if vocab_size is None and kind != "char":
        raise UserError(f"a {kind} tokenizer needs vocab_size, the number of tokens to have")
    if min_frequency is not None and kind not in ("wordpiece", "bpe"):
        raise UserError(f"min_frequency is for wordpiece and bpe, not for {kind}: leave it out")
    special_tokens, learn = KINDS[kind]
    frequency = 2 if min_frequency is None else min_frequency

    def learned() -> Tokenizer:
        return learn(read(texts, length), vocab_size, lowercase, frequency)

    if keep and isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        options = {"kind": kind, "vocab_size": vocab_size, "lowercase": lowercase, "min_frequency": frequency}
        tokenizer = kept(texts, options, learned, (sys.modules[__name__], words, chunks, unigram))
    else:
        tokenizer = learned()
    names = (
        ["input_ids", "token_type_ids", "attention_mask"] if kind == "wordpiece" else ["input_ids", "attention_mask"]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=model_max_length,
        model_input_names=names,
        padding_side="right",
        clean_up_tokenization_spaces=False,
        **special_tokens,
    )


def _check_room(vocab_size: int, needed: int) -> None:
    """Raise a UserError unless the vocabulary has room for the special tokens and the alphabet."""
    if vocab_size < needed:
        raise UserError(
            f"vocab_size {vocab_size} is too small: special tokens and alphabet of this corpus alone take {needed}"
        )


def _alphabet(counts: Iterable[str]) -> list[str]:
    """The characters of the words, in order."""
    return sorted(set(chain.from_iterable(counts)))


def _merge(
    model: models.Model, trainer: type, counts: Counter[str], tokens: list[str], vocab_size: int, min_frequency: int
) -> models.Model:
    """Add to `tokens`, special ones and alphabet, what the most frequent pairs in the counted words merge to.

    Left alone, the trainer numbers WordPiece's `##` alphabet at random and breaks ties by these numbers. Declared as
    special tokens, in a tokenizer for this purpose only, they are numbered as given.
    """
    _check_room(vocab_size, len(tokens))
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words = counts.elements()
    tokenizer.train_from_iterator(
        iter(lambda: " ".join(islice(words, 10_000)), ""),
        trainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            special_tokens=tokens,
            show_progress=sys.stderr.isatty(),  # elsewhere its bars are empty lines on stdout
        ),
    )
    return tokenizer.model


def _wordpiece(texts: Iterator[str], vocab_size: int, lowercase: bool, min_frequency: int) -> Tokenizer:
    """BERT's tokenizer (Devlin et al. 2018): punctuation and Chinese characters stand alone, longest pieces first."""
    tokenizer = Tokenizer(models.WordPiece())
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    counts = count_words(tokenizer, texts, between_spaces)
    alphabet = _alphabet(counts)
    # Every character that does not stand alone gets its `##` form, seen or not, so that only unseen ones are unknown.
    # (Chinese characters are set apart by the normalizer, punctuation by the pre-tokenizer.)
    words = ((c, tokenizer.normalizer.normalize_str(f"a{c}a")) for c in alphabet)
    inner = [c for c, word in words if len(tokenizer.pre_tokenizer.pre_tokenize_str(word)) == 1]
    tokens = [*BERT_TOKENS.values(), *alphabet, *(f"##{character}" for character in inner)]
    model = models.WordPiece(unk_token=BERT_TOKENS["unk_token"])
    tokenizer.model = _merge(model, trainers.WordPieceTrainer, counts, tokens, vocab_size, min_frequency)
    cls, sep = BERT_TOKENS["cls_token"], BERT_TOKENS["sep_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
        special_tokens=[(cls, tokenizer.token_to_id(cls)), (sep, tokenizer.token_to_id(sep))],
    )
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _bpe(texts: Iterator[str], vocab_size: int, lowercase: bool, min_frequency: int) -> Tokenizer:
    """GPT-2's tokenizer (Radford et al. 2019, 2.2): bytes merged within words, a word with its leading space."""
    tokenizer = Tokenizer(models.BPE())
    if lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    counts = count_words(tokenizer, texts, with_space_before)
    tokens = [*dict.fromkeys(GPT2_TOKENS.values()), *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer.model = _merge(models.BPE(), trainers.BpeTrainer, counts, tokens, vocab_size, min_frequency)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _unigram(texts: Iterator[str], vocab_size: int, lowercase: bool, min_frequency: int) -> Tokenizer:
    """Marian's tokenizer: SentencePiece's unigram language model (Kudo 2018) over NFKC text, `▁` for a space."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = unigram_normalizer(lowercase)
    tokenizer.pre_tokenizer = unigram_splits()
    counts = count_words(tokenizer, texts, between_spaces)

    special = list(MARIAN_TOKENS.values())
    _check_room(vocab_size, len(special) + len(BYTES) + len(_alphabet(counts)))
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(f"{word}\t{count}" for word, count in counts.items()),
        input_format="tsv",
        model_writer=model,
        model_type="unigram",
        vocab_size=vocab_size,
        hard_vocab_limit=False,  # a small corpus may not give as many pieces
        byte_fallback=True,
        character_coverage=1.0,
        max_sentence_length=2**30,  # bytes, the most allowed; the default skips long words
        normalization_rule_name="identity",  # the words come normalised, with their `▁`
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        eos_id=special.index(MARIAN_TOKENS["eos_token"]),
        unk_id=special.index(MARIAN_TOKENS["unk_token"]),
        pad_id=special.index(MARIAN_TOKENS["pad_token"]),
        bos_id=-1,
        num_threads=16,  # a sum per thread: the same number on every machine gives the same sums
        minloglevel=1,
    )
    learnt = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [(learnt.id_to_piece(index), learnt.get_score(index)) for index in range(len(learnt))]
    tokenizer.model = models.Unigram(pieces, unk_id=learnt.unk_id(), byte_fallback=True)
    eos = MARIAN_TOKENS["eos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {eos}", pair=f"$A $B {eos}", special_tokens=[(eos, learnt.eos_id())]
    )
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    return tokenizer


def _char(texts: Iterator[str], vocab_size: int | None, lowercase: bool, min_frequency: int) -> Tokenizer:
    """A token per character: byte-pair encoding without any merge, so that bytes can stand for unseen characters."""
    tokenizer = Tokenizer(models.BPE())
    alphabet: set[str] = set()
    if lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
        texts = map(tokenizer.normalizer.normalize_str, texts)
    for text in texts:
        alphabet.update(text)
    vocabulary = [*dict.fromkeys(GPT2_TOKENS.values()), *BYTES, *sorted(alphabet)]
    _check_room(len(vocabulary) if vocab_size is None else vocab_size, len(vocabulary))
    tokenizer.model = models.BPE({token: index for index, token in enumerate(vocabulary)}, [], byte_fallback=True)
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


KINDS: dict[str, tuple[dict[str, str], Callable[..., Tokenizer]]] = {
    "wordpiece": (BERT_TOKENS, _wordpiece),
    "bpe": (GPT2_TOKENS, _bpe),
    "unigram": (MARIAN_TOKENS, _unigram),
    "char": (GPT2_TOKENS, _char),
}

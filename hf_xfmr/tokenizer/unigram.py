"""How a `unigram` tokenizer normalizes and splits a text, by which it is known again."""

from tokenizers import Regex, normalizers, pre_tokenizers


def unigram_normalizer(lowercase: bool) -> normalizers.Normalizer:
    return normalizers.Sequence(
        [
            normalizers.NFKC(),
            *([normalizers.Lowercase()] if lowercase else []),
            normalizers.Replace(Regex(r"[\s▁]+"), " "),
            normalizers.Strip(),
        ]
    )


def unigram_splits() -> pre_tokenizers.PreTokenizer:
    """Punctuation and symbols apart from letters, which SentencePiece does too: fewer distinct words to learn from, and
    the name of a byte token, written out in a text, cannot be taken for the token."""
    symbols = Regex(r"▁?[[\p{P}\p{S}]&&[^▁]]+")
    return pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), pre_tokenizers.Split(symbols, "isolated")])

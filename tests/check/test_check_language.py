"""Real texts of a checkpoint's language, of another, and lower-cased, by real tokenizers."""

from transformers import AutoTokenizer

from hf_xfmr import samples, tokenizer
from hf_xfmr.check import language, tokens
from hf_xfmr.data.part import Part
from hf_xfmr.data.sources import load_dataset_dict


def found(texts: list[str], reader) -> list:
    part = Part("train", len(texts), list(map(str, range(len(texts)))), {"text": texts}, None)
    to_ids = lambda given: reader(given, add_special_tokens=False, verbose=False)["input_ids"]  # noqa: E731
    (one,) = tokens.encode(part, {"text": (reader, to_ids)})
    return [*language.of_words(one), *language.letter_case(one)]


def test_a_checkpoint_of_another_language_and_of_capital_letters():
    """sample:minilm reads English without capitals; of French its words are cut into 1.6 pieces, of Russian into more.
    A vocabulary of English as it is written, given lower-cased text, has never seen such sentences begin."""
    english = load_dataset_dict("sample:movie-reviews")["train"]["text"][:6000]
    french = [row["fr"] for row in load_dataset_dict("sample:tatoeba-en-fr")["train"]["translation"][:1500]]
    minilm = AutoTokenizer.from_pretrained(samples.checkpoint("sample:minilm"))
    assert found(english, minilm) == []
    assert found([text.lower() for text in english], minilm) == []
    (note,) = found(french, minilm)
    assert (note.level, note.name) == ("note", "words-in-pieces")
    assert "is 1.6 tokens on average, and about 1.1 where a checkpoint is of the text's own language" in note.message
    russian = ["Быстрая коричневая лиса прыгает через ленивую собаку."] * 60
    assert [(one.level, one.name) for one in found(russian, minilm)] == [("warning", "words-in-pieces")]

    cased = tokenizer.train(english, "bpe", vocab_size=8_000, model_max_length=512)
    assert found(english, cased) == []
    (warning,) = found([text.lower() for text in english], cased)
    assert (warning.level, warning.name) == ("warning", "lower-cased")
    assert warning.message.startswith('0.0 % of the letters in train column "text" are capitals')
    small = tokenizer.train(english, "bpe", vocab_size=1_000, model_max_length=512)
    assert found(french, small) == found([text.lower() for text in english], small) == []

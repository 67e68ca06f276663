"""Files with tagged words or spans in every layout that programs write them in: read as they are, or asked about."""

import json

import pytest
from transformers import BertTokenizer

from hf_xfmr.tasks.tagging import data
from hf_xfmr.tasks.tagging.schemes import entities
from hf_xfmr.tasks.tagging.settings import TaggingSettings

EN = "Anna Lee flew to Oslo."
DE = "Jörg Weiß wohnt in Bad Nauheim."
ZH = "王小明昨天到了北京。"
ENTITIES = {
    EN: [("PER", "Anna Lee"), ("LOC", "Oslo")],
    DE: [("PER", "Jörg Weiß"), ("LOC", "Bad Nauheim")],
    ZH: [("PER", "王小明"), ("LOC", "北京")],
}


@pytest.fixture(scope="module")
def tokenizer():
    return BertTokenizer(vocab={one: number for number, one in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"])})


@pytest.fixture
def read(tmp_path, tokenizer):
    """Write a file, and read it as the recipe does: the sentences, and the lines that are said of them."""

    def read(name: str, content, **settings):
        content = content if isinstance(content, bytes) else content.encode("utf-8")
        (tmp_path / name).write_bytes(content)
        options = TaggingSettings(validation_fraction=0, test_fraction=0, **settings)
        corpus = data.tagging(str(tmp_path / name), tokenizer, options, max_positions=64)
        return corpus.sentences["train"], "\n".join(corpus.report)

    return read


def found(rows) -> dict:
    """The entities of each text."""
    by_text = {}
    for row in rows:
        by_text[row["text"]] = [
            (kind, row["text"][row["starts"][start] : row["starts"][end - 1] + len(row["tokens"][end - 1])])
            for kind, start, end in entities(row["tags"])
        ]
    return by_text


def lines(rows) -> str:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def spans(text: str, last: int = 0):
    """(start, end, type, text) of the entities of a text; with `last` 1 the end is the last character."""
    for kind, surface in ENTITIES[text]:
        start = text.index(surface)
        yield start, start + len(surface) - last, kind, surface


def objects(text: str, start="start", end="end", label="label", last=0, surface=None):
    return [
        {start: a, end: b, label: kind} | ({surface: part} if surface else {}) for a, b, kind, part in spans(text, last)
    ]


def label_studio(text: str, number: int) -> dict:
    result = [
        {"type": "labels", "from_name": "label", "to_name": "text", "value": one | {"labels": [one.pop("label")]}}
        for one in objects(text, surface="text")
    ]
    result.append({"type": "choices", "value": {"choices": ["news"]}})
    other = {"id": 9, "was_cancelled": False, "result": []}
    cancelled = {"id": 8, "was_cancelled": True, "result": []}
    return {"id": number, "data": {"text": text}, "annotations": [cancelled, {"id": 1, "result": result}, other]}


def short_spans(text: str) -> list[dict]:
    return [{"start": a, "end": b, "labels": [kind]} for a, b, kind, _ in spans(text)]


def as_cell(value) -> str:
    return json.dumps(value).replace('"', '""')


def cluener(text: str) -> dict:
    label: dict = {}
    for start, end, kind, surface in spans(text, last=1):
        label.setdefault(kind, {}).setdefault(surface, []).append([start, end])
    return {"text": text, "label": label}


def pipeline_tokens(text: str) -> dict:
    """A pipeline's answer that was not aggregated: a token each."""
    tokens = []
    for start, _, kind, surface in spans(text):
        place = "B"
        for word in surface.split():
            at = text.index(word, start)
            tokens.append(
                {"entity": f"{place}-{kind}", "score": 0.9, "index": len(text[:at].split()), "word": word.lower()}
                | {"start": at, "end": at + len(word)}
            )
            place = "I"
    return {"text": text, "entities": tokens}


TEXTS = (EN, DE, ZH)
SPANS = {
    "spans of objects": ("a.jsonl", lines({"text": t, "entities": objects(t)} for t in TEXTS), "ends exclusive"),
    "begin, type": (
        "a.json",
        json.dumps([{"sentence": t, "spans": objects(t, "begin", "end", "type")} for t in TEXTS]),
    ),
    "triples": ("a.jsonl", lines({"id": 3, "text": t, "label": [s[:3] for s in spans(t)]} for t in TEXTS), "Doccano"),
    "Doccano's data": ("a.jsonl", lines({"data": t, "label": [s[:3] for s in spans(t)]} for t in TEXTS)),
    "Doccano's offsets": (
        "a.jsonl",
        lines(
            {"id": 1, "text": t, "entities": objects(t, "start_offset", "end_offset"), "relations": [], "Comments": []}
            for t in TEXTS
        ),
        "other columns: relations, Comments",
    ),
    "spaCy's pairs": ("a.json", json.dumps([[t, {"entities": [s[:3] for s in spans(t)]}] for t in TEXTS]), "spaCy"),
    "spaCy's pairs, one a line": ("a.jsonl", lines([t, {"entities": [s[:3] for s in spans(t)]}] for t in TEXTS)),
    "an annotator's pairs": (
        "a.json",
        json.dumps(
            {
                "classes": ["PER", "LOC"],
                "annotations": [None, *([t, {"entities": [s[:3] for s in spans(t)]}] for t in TEXTS)],
            }
        ),
        "1 empty rows (null) are left out",
    ),
    "Label Studio": (
        "a.json",
        json.dumps([label_studio(t, n) for n, t in enumerate(TEXTS)]),
        "3 cancelled annotations are left out",
        "3 tasks have annotations of several people, and the first is used",
        '3 results of type "choices" are no spans',
    ),
    "Label Studio's short JSON": (
        "a.json",
        json.dumps([{"text": t, "id": 1, "annotator": 1, "label": short_spans(t)} for t in TEXTS]),
    ),
    "Label Studio's CSV": (
        "a.csv",
        "text,id,label\n" + "\n".join(f'"{t}",{n},"{as_cell(short_spans(t))}"' for n, t in enumerate(TEXTS)),
    ),
    "Prodigy": (
        "a.jsonl",
        lines(
            [
                *(
                    {
                        "text": t,
                        "spans": [o | {"token_start": 0, "token_end": 1} for o in objects(t)],
                        "answer": "accept",
                    }
                    | {"tokens": [{"text": t[:2], "start": 0, "end": 2, "id": 0}], "_input_hash": n}
                    for n, t in enumerate(TEXTS)
                ),
                {"text": "No.", "spans": [], "answer": "reject"},
                {"text": "Hm.", "spans": [], "answer": "ignore"},
            ]
        ),
        "1 rows answered reject are left out; 1 rows answered ignore",
    ),
    "CLUENER": ("a.json", lines(map(cluener, TEXTS)), "ends inclusive: as the texts of 6 spans say"),
    "Dataturks": (
        "a.json",
        lines(
            {
                "content": t,
                "annotation": [
                    {"label": [kind], "points": [{"start": a, "end": b, "text": part}]}
                    for a, b, kind, part in spans(t, last=1)
                ],
                "extras": None,
            }
            for t in TEXTS
        ),
        "ends inclusive",
    ),
    "a pipeline's groups": (
        "a.jsonl",
        lines(
            {"text": t, "entities": [o | {"score": 0.9, "word": "x"} for o in objects(t, label="entity_group")]}
            for t in TEXTS
        ),
    ),
    "a pipeline's tokens": ("a.jsonl", lines(map(pipeline_tokens, TEXTS))),
    "inclusive ends seen at the ends of words": (
        "a.jsonl",
        lines({"text": t, "entities": objects(t, last=1)} for t in TEXTS),
        "ends inclusive: 4 of 4 spans that tell",
    ),
    "UTF-16 units": (
        "a.jsonl",
        lines(
            {
                "text": "😀" + t,
                "entities": [o | {"start": o["start"] + 2, "end": o["end"] + 2} for o in objects(t, surface="text")],
            }
            for t in TEXTS
        ),
        "counted in utf16",
    ),
    "bytes": (
        "a.jsonl",
        lines(
            {
                "text": t,
                "entities": [
                    {"start": len(t[:a].encode()), "end": len(t[:b].encode()), "label": kind, "text": part}
                    for a, b, kind, part in spans(t)
                ],
            }
            for t in TEXTS
        ),
        "counted in bytes",
    ),
    "places as lists": (
        "a.jsonl",
        lines(
            {"text": t, "mentions": [{"span": [a, b], "entity": part, "type": kind} for a, b, kind, part in spans(t)]}
            for t in TEXTS
        ),
        "as the texts of 6 spans say",
    ),
    "places from 1": (
        "a.jsonl",
        lines(
            {"text": t, "entities": [{"start": a + 1, "end": b + 1, "label": k} for a, b, k, _ in spans(t)]}
            for t in TEXTS
        ),
        "the first is 1, ends exclusive",
        "else --span_first 0",
    ),
    "places from 1 with texts, ends inclusive": (
        "a.jsonl",
        lines({"text": t, "entities": [[a + 1, b, k, p] for a, b, k, p in spans(t)]} for t in TEXTS),
        "the first is 1, ends inclusive",
    ),
    "types with objects": (
        "a.jsonl",
        lines({"text": t, "entities": {k: [{"start": a, "end": b}] for a, b, k, _ in spans(t)}} for t in TEXTS),
    ),
    "pairs under a key": (
        "a.json",
        json.dumps({"data": [[t, {"entities": [s[:3] for s in spans(t)]}] for t in TEXTS]}),
    ),
    "places as objects": (
        "a.json",
        json.dumps(
            [
                {
                    "originalText": t,
                    "entity_list": [
                        {"entity_index": {"begin": a, "end": b}, "entity_type": kind, "entity": part}
                        for a, b, kind, part in spans(t)
                    ],
                }
                for t in TEXTS
            ]
        ),
    ),
    "lists with the text before the label": (
        "a.jsonl",
        lines({"text": t, "entities": [[a, b, part, kind] for a, b, kind, part in spans(t)]} for t in TEXTS),
    ),
    "columns of starts and ends": (
        "a.jsonl",
        lines(
            {
                "text": t,
                "entities": {
                    "start": [s[0] for s in spans(t)],
                    "end": [s[1] for s in spans(t)],
                    "label": [s[2] for s in spans(t)],
                },
            }
            for t in TEXTS
        ),
    ),
}


@pytest.mark.parametrize("layout", SPANS)
def test_spans_are_the_entities_of_the_text_as_it_stands(read, layout):
    name, content, *said = SPANS[layout]
    rows, report = read(name, content)
    assert {text.removeprefix("😀"): those for text, those in found(rows).items()} == ENTITIES
    assert rows[2]["tokens"][-10:] == list(ZH)
    for words in said:
        assert words in report


WORDS = {"Anna": "B-PER", "Lee": "I-PER", "flew": "O", "to": "O", "Oslo": "B-LOC", ".": "O"}
TWO = [(list(WORDS), list(WORDS.values())), (["Bonn", "calls"], ["B-LOC", "O"])]
READ = {"Anna Lee flew to Oslo .": ENTITIES[EN], "Bonn calls": [("LOC", "Bonn")]}
IDS = {"O": 0, "B-PER": 1, "I-PER": 2, "B-LOC": 3, "I-LOC": 4}
NUMBERS = [(words, [IDS[tag] for tag in tags]) for words, tags in TWO]


def table(sentences, ids, header="", between="", end="\n") -> str:
    """A CSV of a word a row; `ids` gives the cell before it of sentence and word."""
    rows = [header] if header else []
    for number, (words, tags) in enumerate(sentences, 1):
        for place, (word, tag) in enumerate(zip(words, tags, strict=True)):
            rows.append(f"{ids(number, place)}{word},{tag}")
        rows += [between] if between is not None and number < len(sentences) else []
    return end.join(rows) + end


LISTS = {
    "Kaggle's": (
        "a.csv",
        table(TWO, lambda n, i: f"Sentence: {n}," if not i else ",", "Sentence #,Word,Tag", None).encode("latin-1"),
        {},
        'sentences by "Sentence #" of the first row of each',
    ),
    "numbers on each row": (
        "a.csv",
        table(TWO, lambda n, i: f"{n},", "sentence_id,word,ner_tag", None),
        {},
        'sentences by "sentence_id" of each row: 2 sentences of 8 words',
    ),
    "numbers in another column": (
        "a.csv",
        table(TWO, lambda n, i: f"{n},", "block,word,tag", None),
        {"sentence_column": "block"},
    ),
    "empty rows": ("a.csv", table(TWO, lambda n, i: "", "word,tag", ","), {}, "empty rows between sentences"),
    "empty lines": ("a.csv", table(TWO, lambda n, i: "", "word,tag", ""), {}, "CoNLL's layout, commas"),
    "empty lines, Windows": ("a.csv", table(TWO, lambda n, i: "", "word,tag", "", "\r\n"), {}),
    "tabs without names": ("a.tsv", table(TWO, lambda n, i: "", "", "").replace(",", "\t"), {}, "CoNLL's layout, tabs"),
    "a word that ends a sentence": (
        "a.csv",
        table(TWO, lambda n, i: "", "word,tag", None),
        {"sentence_end": ". !"},
        'a sentence ends with ".", "!"',
    ),
    "words in JSON lines": (
        "a.jsonl",
        lines({"sentence_id": n, "word": w, "tag": t} for n, s in enumerate(TWO) for w, t in zip(*s, strict=True)),
        {},
    ),
    "pandas' lists": (
        "a.csv",
        "tokens,ner_tags\n" + "\n".join(f'"{words}","{tags}"' for words, tags in TWO),
        {},
    ),
    "numpy's lists": (
        "a.csv",
        "tokens,ner_tags\n" + "\n".join(f'"{words}","{tags}"'.replace(", ", " ") for words, tags in TWO),
        {},
    ),
    "texts with spaces": (
        "a.csv",
        "words,tags\n" + "\n".join(f"{' '.join(words)},{' '.join(tags)}" for words, tags in TWO),
        {},
    ),
    "a text and a list": (
        "a.csv",
        "Sentence #,Sentence,POS,Tag\n" + "\n".join(f'1,{" ".join(w)},"{["NN"] * len(w)}","{t}"' for w, t in TWO),
        {},
    ),
    "numbers named by the user": (
        "a.jsonl",
        lines({"tokens": w, "ner_tags": t} for w, t in NUMBERS),
        {"tag_names": ",".join(IDS)},
        'named by --tag_names: "0 O", "1 B-PER"',
    ),
    "numbers named beside them": (
        "a.jsonl",
        lines({"tokens": w, "ner_tags": n, "ner_tag_names": t} for (w, t), (_, n) in zip(TWO, NUMBERS, strict=True)),
        {},
        "named by a column beside them",
    ),
    "numbers, and all names in each row": (
        "a.jsonl",
        lines({"tokens": w, "tags": n, "tag_names": list(IDS)} for w, n in NUMBERS),
        {},
        "named by a column beside them",
    ),
    "numbers written as texts": (
        "a.csv",
        "tokens,ner_tags\n" + "\n".join(f'"{words}","{tags}"' for words, tags in NUMBERS),
        {"tag_names": ",".join(IDS)},
    ),
}


@pytest.mark.parametrize("layout", LISTS)
def test_words_and_tags_are_read_however_they_stand_in_a_table(read, layout):
    name, content, settings, *said = LISTS[layout]
    rows, report = read(name, content, **settings)
    assert found(rows) == READ
    assert rows["tokens"][:] == [words for words, _ in TWO]
    for words in said:
        assert words in report


def test_a_chinese_text_with_a_tag_for_each_character(read):
    tags = ["B-PER", "I-PER", "I-PER", "O", "O", "O", "O", "B-LOC", "I-LOC", "O"]
    rows, report = read("a.jsonl", lines([{"text": ZH, "labels": tags}]))
    assert found(rows) == {ZH: ENTITIES[ZH]}
    assert "1 texts are read character by character" in report

"""What stands in files of words and spans that is counted, refused by row, or asked about with the flag that tells."""

import json

import pytest
from datasets import ClassLabel, Dataset, Features, Value
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertTokenizer

from hf_xfmr.errors import UserError
from hf_xfmr.tasks.tagging import data, layouts, span_ends, spans
from hf_xfmr.tasks.tagging.loading import load
from hf_xfmr.tasks.tagging.schemes import entities
from hf_xfmr.tasks.tagging.settings import TaggingSettings


def read(folder, name: str, content: str, **settings):
    (folder / name).write_text(content, encoding="utf-8")
    return layouts.read(load(str(folder / name), None), TaggingSettings(**settings))


def row(text: str, *spans, **more) -> str:
    return json.dumps({"text": text, "entities": spans} | more, ensure_ascii=False) + "\n"


def span(start: int, end: int, label="PER", **more) -> dict:
    return {"start": start, "end": end, "label": label} | more


ZH = row("王小明在北京。", span(0, 2)) + row("李华在上海。", span(0, 1))
WORDS = '{"tokens": ["a", "b"], "tags": %s}\n'
NINE = json.dumps({"tokens": list("abcdefghi"), "ner_tags": list(range(9))})
CONLL = "--tag_names O,B-PER,I-PER,B-ORG,I-ORG,B-LOC,I-LOC,B-MISC,I-MISC if they are CoNLL-2003's"
ASKED = {
    "ends of Chinese spans": (
        "a.jsonl",
        ZH,
        'exclusive if train row 0 .* the PER "王小", --span_end inclusive if.*王小明',
    ),
    "two columns of spans": ("a.jsonl", row("Al", span(0, 2), spans=[span(0, 2)]), "--spans_column entities"),
    "two columns that could be texts": (
        "a.jsonl",
        json.dumps({"a": "x", "b": "y", "spans": [span(0, 1)]}),
        'say which with --text_column .*"a", "b"',
    ),
    "numbers as tags": ("a.jsonl", WORDS % "[0, 1]", '2 numbers "0", "1".*--tag_names O,B-PER,I-PER,…'),
    "CoNLL-2003's numbers": ("a.jsonl", NINE, CONLL),
    "words without sentences": ("a.csv", "word,tag\nEU,B-ORG\nBonn,O\n", "--sentence_column.*--sentence_end"),
    "no known columns": ("a.jsonl", '{"a": ["x"], "b": ["O"]}', "tokens_column is not told.*--spans_column"),
}


@pytest.mark.parametrize("question", ASKED)
def test_what_nothing_tells_is_asked(tmp_path, question):
    name, content, message = ASKED[question]
    with pytest.raises(UserError, match=message):
        read(tmp_path, name, content)


SPLIT = "sentence_id,word,tag\n1,EU,B-ORG\n2,rejects,O\n1,Bonn,O\n3,x,O\n"
REFUSED = {
    "a span beyond the text": (row("Oslo", span(0, 9)) + row("Bonn is", span(0, 4)), r"row 0 .* 0 to 9 \(PER, ends ex"),
    "a span that is another text": (
        row("Anna in Oslo", span(0, 4, text="Anna"), span(7, 12, "LOC", text="Bonn")),
        r'train row 0 .* from 7 to 12 is " Oslo" in the text \(ends exclusive\), but "Bonn" by the file',
    ),
    "one span of many in bytes": (
        row("Zoë in Oslo", span(8, 12, text="Oslo"))
        + row("Ann in Bonn", span(0, 3, text="Ann")) * 1
        + row("Zoë", span(0, 3, text="Zoë")),
        "it is what stands there counted in bytes",
    ),
    "a start that is no number": (row("Oslo", span("/div[1]", 4)), '"/div.1." is no number of a character'),
    "entities without places": (row("I like Oslo", {"text": "Oslo", "label": "LOC"}), "nor a span, which has a start"),
    "a row without its text": (row("Oslo", span(0, 4)) + '{"entities": []}', 'train row 1 .* no text in "text"'),
    "a tag without a name": (
        WORDS % "[0, 7]",
        'the tag 7 has no name; those are "0 O", "1 B-PER"',
        {"tag_names": "O,B-PER"},
    ),
    "names of tags that are texts": (WORDS % '["B-X", "O"]', "are texts: leave it out", {"tag_names": "O,B-X"}),
    "a flag of another layout": (
        WORDS % '["B-X", "O"]',
        "--span_end says nothing of rows with words",
        {"span_end": "inclusive"},
    ),
    "an end that is none": (row("Oslo", span(0, 4)), "it is exclusive or inclusive", {"span_end": "closed"}),
    "sentences in two places": (SPLIT, 'sentence "1" of "sentence_id" stands in two places'),
    "a list cut short": ("tokens,tags\n\"['a' 'b' ... 'c']\",\"['O' 'O' ... 'O']\"\n", "was cut short"),
    "other numbers of words and tags": ('words,tags\n"a b c","O B-X"\n', "train row 0 .*: 3 words and 2 tags"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_wrong_is_refused_by_row(tmp_path, fault):
    content, message, *settings = REFUSED[fault]
    name = "a.jsonl" if content.startswith("{") else "a.csv"
    with pytest.raises(UserError, match=message):
        read(tmp_path, name, content, **(settings[0] if settings else {}))


def test_what_is_trimmed_cut_and_left_out_is_counted(tmp_path):
    content = row("Anna in Oslo", [0, 5, "P"], [7, 12, "L"], [8, 12, "L"], [8, 8, "Q"])
    content += row("Bo", span(0, 2, None))
    content += row("foobar", [0, 3, "P"]) + row(" ") + json.dumps({"text": "x"}) + "\n"
    content += row("Bank of Oslo", [0, 12, "ORG"], [8, 12, "LOC"], [0, 7, "ORG"])
    found, lines, _ = read(tmp_path, "a.jsonl", content)
    said = "\n".join(lines)
    for words in (
        "2 spans are trimmed of white space",
        "1 spans stand twice",
        "1 spans are empty",
        "1 spans without a label are left out",
        "1 words are cut at the edge",
        "1 rows without text are left out",
        '1 rows have no "entities"',
        "2 overlap a longer one (or an equal one before) and are left out: train row 5 (counted from 0), "
        'the first "Bank of" ORG over "Bank of Oslo" ORG',
    ):
        assert words in said
    assert [(one.row, one.words) for one in found["train"]] == [
        (0, ["Anna", "in", "Oslo"]),
        (1, ["Bo"]),
        (2, ["foo", "bar"]),
        (4, ["x"]),
        (5, ["Bank", "of", "Oslo"]),
    ]
    assert found["train"][4].tags == ["B-ORG", "I-ORG", "I-ORG"]


def test_spans_that_are_told_inclusive_are_read_so(tmp_path):
    found, _, _ = read(tmp_path, "a.jsonl", ZH, span_end="inclusive")
    assert [one.tags[:4] for one in found["train"]] == [["B-PER", "I-PER", "I-PER", "O"], ["B-PER", "I-PER", "O", "O"]]


def test_the_splits_of_a_folder_are_read_alike(tmp_path):
    for split, text in (("train", "Anna in Oslo"), ("dev", "Lee in Bonn")):
        (tmp_path / f"{split}.jsonl").write_text(row(text, [0, text.index(" "), "P"]), encoding="utf-8")
    found, _, _ = layouts.read(load(str(tmp_path), None), TaggingSettings())
    assert {split: one.words for split, (one,) in found.items()} == {
        "train": ["Anna", "in", "Oslo"],
        "validation": ["Lee", "in", "Bonn"],
    }


def test_a_file_of_one_sentence_is_read_as_its_train_file_is(tmp_path):
    (tmp_path / "train.tsv").write_text("Bonn\tB-LOC\n\nJa\tO\n", encoding="utf-8")
    (tmp_path / "test.tsv").write_text("Oslo\tB-LOC\nruft\tO\n", encoding="utf-8")
    splits = load(str(tmp_path), None)
    assert {split: rows["tokens"][:] for split, rows in splits.items()} == {
        "train": [["Bonn"], ["Ja"]],
        "test": [["Oslo", "ruft"]],
    }


def test_a_split_that_nobody_marked_is_not_taken_for_one_without_entities(tmp_path):
    """CLUENER's test file has texts alone."""
    (tmp_path / "train.json").write_text(row("Anna", span(0, 4)), encoding="utf-8")
    (tmp_path / "test.json").write_text('{"id": 0, "text": "Lee"}\n{"id": 1, "text": "Bo"}', encoding="utf-8")
    found, lines, _ = layouts.read(load(str(tmp_path), None), TaggingSettings())
    assert set(found) == {"train"}
    assert "spans of test: none of its 2 rows has any, so the split is not used" in lines


def test_a_text_that_several_people_marked_is_read_once(tmp_path):
    content = row("Anna", span(0, 4), _annotator_id="a") + row("Anna", span(0, 2), _annotator_id="b")
    found, lines, _ = read(tmp_path, "a.jsonl", content)
    assert [one.words for one in found["train"]] == [["Anna"]]
    assert any("1 rows have the text of one before, of another person" in line for line in lines)


def test_sentences_whose_numbers_begin_anew_are_others(tmp_path):
    content = "sentence_id,word,tag\n1,a,B-X\n1,b,O\n2,c,O\n1,d,O\n2,e,O\n"
    found, lines, _ = read(tmp_path, "a.csv", content)
    assert [one.words for one in found["train"]] == [["a", "b"], ["c"], ["d"], ["e"]]
    assert any("begin anew 1 times" in line for line in lines)


COMMENTED = {
    "GermEval": "#\thttp://a\n1\tBonn\tB-LOC\tO\n2\truft\tO\tO\n\n#\thttp://b\n1\tJa\tO\tO\n",
    "MultiCoNER": "# id 1\tdomain=en\nBonn _ _ B-LOC\nruft _ _ O\n\n# id 2\tdomain=en\nJa _ _ O\n",
    "a space as a word": "Bonn B-LOC\nruft O\n  O\n\nJa O\n",
    "a tag before its word": "B-LOC Bonn\nO ruft\n\nO Ja\n",
}


@pytest.mark.parametrize("corpus", COMMENTED)
def test_comments_numbers_and_spaces_of_conll_files_are_no_words(tmp_path, corpus):
    settings = {"tags_column": "3"} if corpus == "GermEval" else {}
    name = "a.tsv" if corpus == "GermEval" else "a.conll"
    (tmp_path / name).write_text(COMMENTED[corpus], encoding="utf-8")
    rows = load(str(tmp_path / name), None, fields=(None, settings.get("tags_column")))["train"]
    assert rows["tokens"][:] == [["Bonn", "ruft"], ["Ja"]]
    assert rows["tags"][:] == [["B-LOC", "O"], ["O"]]


CHARACTERS = st.sampled_from("abÖ1 \t\n.,-'小明北の가é😀\u0301กß")


@st.composite
def marked_texts(draw):
    """A text, and spans of it that stand apart and have no white space at their edges."""
    text = draw(st.text(CHARACTERS, min_size=1, max_size=40))
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    found = [(a, b, draw(st.sampled_from("XY"))) for a, b in zip(edges[::2], edges[1::2], strict=False)]
    return text, [one for one in found if text[one[0] : one[1]] == text[one[0] : one[1]].strip()]


@given(given=marked_texts())
def test_spans_come_back_from_the_tags_of_words(given):
    text, places = given
    rows = [{"text": text, "entities": [list(one) for one in places]}, {"text": "a b", "entities": [[0, 1, "X"]]}]
    found, _ = spans.read({"train": rows}, told=span_ends.Told("exclusive"))
    one = found["train"][0]
    if not text.strip():
        assert one.text == "a b"
        return
    ends = [start + len(word) for start, word in zip(one.starts, one.words, strict=True)]
    assert [(one.starts[a], ends[b - 1], kind) for kind, a, b in entities(one.tags)] == places
    assert [text[a:b] for a, b in zip(one.starts, ends, strict=True)] == one.words
    assert "".join("".join(one.words).split()) == "".join(text.split())


NUMBERED = row("Anna in Oslo", span(0, 4, 0), span(8, 12, 1))


def test_types_that_are_numbers_are_named(tmp_path):
    found, lines, _ = read(tmp_path, "a.jsonl", NUMBERED)
    assert found["train"][0].tags == ["B-0", "O", "B-1"]
    assert any("types are numbers, as the file has them; --tag_names" in line for line in lines)
    (tmp_path / "names.json").write_text('{"PER": 0, "LOC": 1}', encoding="utf-8")
    for names in ("PER,LOC", str(tmp_path / "names.json")):
        found, _, _ = read(tmp_path, "a.jsonl", NUMBERED, tag_names=names)
        assert found["train"][0].tags == ["B-PER", "O", "B-LOC"]


def test_a_dataset_s_own_names_of_types_are_used():
    features = Features(
        {
            "text": Value("string"),
            "entities": [{"start": Value("int32"), "end": Value("int32"), "label": ClassLabel(names=["PER", "LOC"])}],
        }
    )
    rows = Dataset.from_list([json.loads(NUMBERED)], features=features)
    found, _, _ = layouts.read({"train": rows}, TaggingSettings())
    assert found["train"][0].tags == ["B-PER", "O", "B-LOC"]


def test_of_a_thousand_types_the_lines_show_some(tmp_path):
    """The lines of the report, which a terminal shows."""
    text = "ab " * 1000
    content = row(text, *([3 * n, 3 * n + 2, f"TYPE{n}"] for n in range(1000)))
    (tmp_path / "a.jsonl").write_text(content, encoding="utf-8")
    tokenizer = BertTokenizer(vocab={one: n for n, one in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])})
    settings = TaggingSettings(validation_fraction=0, test_fraction=0)
    report = data.tagging(str(tmp_path / "a.jsonl"), tokenizer, settings, max_positions=64).report
    assert max(map(len, report)) < 500
    assert "1,000 types" in report[0]
    assert any("entities of train: 1,000" in line and "and 980 types more" in line for line in report)

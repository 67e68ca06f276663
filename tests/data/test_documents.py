"""A corpus of every kind that people have -> its documents, and what the run says of them; or one question."""

import gzip
import json
import re
from pathlib import Path

import datasets
import pyarrow as pa
import pytest

from hf_xfmr.data import document_sources
from hf_xfmr.data.documents import DocumentSettings, load_documents
from hf_xfmr.errors import UserError

CHINESE = [
    "今天天气很好,我们去公园散步。",
    "这部电影非常精彩,演员的表演令人难忘。",
    "北京是中国的首都,历史悠久,文化丰富。",
    "学习一门语言需要时间和耐心。",
    "她在图书馆看了一整天的书。",
    "火车晚点了三个小时,大家都很着急。",
]
TAIWAN = ["今天天氣很好,我們去公園散步。", "這部電影非常精彩,演員的表演令人難忘。", "她在圖書館看了一整天的書。"]
FRENCH = ["Il fait beau aujourd'hui.", "Où est la gare, s'il vous plaît ?", "Elle a été très étonnée."]
MESSAGES = [{"role": "user", "content": "Hallo"}, {"role": "assistant", "content": "Guten Tag"}]
SHARED = [{"from": "human", "value": "Hallo"}, {"from": "gpt", "value": "Guten Tag"}]
BODY = "\n".join(CHINESE)


def jsonl(rows) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write(folder: Path, name: str, content: str | bytes, encoding: str = "utf-8") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else content.encode(encoding)
    if name.endswith(".gz"):
        data = gzip.compress(data)
    elif name.endswith(".zst"):
        data = pa.compress(data, codec="zstd", asbytes=True)
    path.write_bytes(data)


def load(name, **settings) -> tuple[list[str], str]:
    """The documents of train, and the report."""
    documents, report = load_documents(str(name), DocumentSettings(validation_fraction=0.0, **settings))
    return list(documents["train"]), "\n".join(report)


def refusal(name, **settings) -> str:
    with pytest.raises(UserError) as caught:
        load(name, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


ONE = "one document of 6 lines (--lines true: each line is one)"
PARTS = 'one document of 4 lines in 2 parts between blank lines (--separator "": each part is one'
# file, its content, encoding, settings -> documents, and what the report says
FILES = [
    ("uer.txt", BODY, "utf-8", {}, [BODY], ONE),
    ("uer.txt", BODY, "utf-8", {"lines": True}, CHINESE, "each line is a document"),
    ("gbk.txt", BODY, "gbk", {"lines": True}, CHINESE, "as text, gb18030; each line is a document"),
    ("big5.txt", "\n".join(TAIWAN), "big5", {"lines": True}, TAIWAN, "each line is a document"),
    ("wide.txt", BODY, "utf-16", {"lines": True}, CHINESE, "as text, UTF-16"),
    ("mac.txt", "a line\ranother\r", "utf-8", {"lines": True}, ["a line", "another"], "each line is a document"),
    ("mac.txt", "a line\ranother", "utf-8", {}, ["a line\ranother"], "one document of 2 lines"),
    ("old.txt", "\n".join(FRENCH), "cp1252", {"lines": True}, FRENCH, "windows-1252"),
    ("told.txt", "春眠\n不觉晓", "gbk", {"lines": True, "encoding": "gbk"}, ["春眠", "不觉晓"], "gb"),
    ("packed.txt.gz", BODY, "gbk", {}, [BODY], "packed by gzip, gb18030; one document of 6 lines"),
    ("packed.txt.zst", BODY, "utf-8", {"lines": True}, CHINESE, "packed by zstd"),
    ("bert.txt", "a b\nc d\n\ne f\ng h\n", "utf-8", {}, ["a b\nc d\n\ne f\ng h\n"], PARTS),
    ("bert.txt", "a b\nc d\n\ne f\ng h\n", "utf-8", {"separator": ""}, ["a b\nc d", "e f\ng h"], "between blank lines"),
    ("dashes.txt", "a\n---\nb", "utf-8", {"separator": "---"}, ["a", "b"], 'stand between lines "---"'),
    ("dashes.txt", "a\nb\n---\nb", "utf-8", {}, ["a\nb\n---\nb"], "4 lines (--separator ---: 2 parts; --lines true"),
    (
        "ends.txt",
        "a\n<|endoftext|>\n\nb",
        "utf-8",
        {},
        None,
        "(--separator '<|endoftext|>': 2 parts; --separator \"\":",
    ),
    ("single.txt", "one line", "utf-8", {}, ["one line"], "one document of a single line"),
    ("corpus", "a line\nanother", "utf-8", {"lines": True}, ["a line", "another"], "each line is a document"),
    ("app.log", "a line\nanother", "utf-8", {"lines": True}, ["a line", "another"], "each line is a document"),
    ("rows.txt", jsonl({"content": x} for x in CHINESE), "utf-8", {}, CHINESE, "as JSON lines"),
    ("c.jsonl", jsonl({"content": x} for x in CHINESE), "utf-8", {}, CHINESE, 'texts: column "content"'),
    ("c.jsonl.gz", jsonl({"content": x} for x in CHINESE), "utf-8", {}, CHINESE, "packed by gzip"),
    (
        "titled.jsonl",
        jsonl({"title": x[:4], "content": x} for x in CHINESE),
        "utf-8",
        {},
        CHINESE,
        'texts: column "content"; not read: "title" (--join_columns title,content joins them)',
    ),
    (
        "nested.jsonl",
        jsonl({"meta": {"url": f"u{i}"}, "data": {"text": x}} for i, x in enumerate(CHINESE)),
        "utf-8",
        {},
        CHINESE,
        'texts: column "data.text"',
    ),
    ("list.json", json.dumps(CHINESE), "utf-8", {}, CHINESE, "as JSON, UTF-8, 6 rows; each value is a text"),
    ("list.jsonl", jsonl(CHINESE), "utf-8", {}, CHINESE, "6 rows; each value is a text"),
    ("one.csv", "".join(f'"{x}"\n' for x in CHINESE), "utf-8", {}, CHINESE, "the first line is a row"),
    ("null.jsonl", jsonl([{"text": None}, {"text": "a"}]), "utf-8", {}, ["a"], "left out of train: 1 text"),
    ("na.csv", "text\nNA\n12\n" + BODY.replace(",", "、"), "utf-8", {}, None, "8 rows"),
]


@pytest.mark.parametrize(
    ("name", "content", "encoding", "settings", "documents", "said"),
    FILES,
    ids=[f"{name} {' '.join(settings)}" for name, _, _, settings, _, _ in FILES],
)
def test_what_a_file_is_taken_for(tmp_path, name, content, encoding, settings, documents, said):
    write(tmp_path, name, content, encoding)
    found, report = load(tmp_path / name, **settings)
    assert documents is None or found == documents
    assert said in report
    if settings or not name.endswith((".txt", ".gz", ".zst")):  # a text that is one document would have to be held
        streamed, report = load(tmp_path / name, **settings, streaming=True)
        assert streamed == found
        assert f"read: {name} as" in report


def test_a_folder_is_read_file_by_file_each_in_its_own_encoding_and_counted(tmp_path):
    for place, text in enumerate(CHINESE):
        write(tmp_path, f"{place % 2}/{place}.txt", text * 3, "gbk" if place % 2 else "utf-8")
    write(tmp_path, "deep/er/wide.TXT", TAIWAN[0], "utf-16")
    write(tmp_path, "packed.txt.gz", "packed text")
    write(tmp_path, "short.txt", "天气", "gbk")
    write(tmp_path, "none.txt", "")
    for name in (".hidden.txt", "__MACOSX/._a.txt", "notes.pdf", ".git/config"):
        write(tmp_path, name, "no text of the corpus")
    expected = [CHINESE[place] * 3 for place in (0, 2, 4, 1, 3, 5)]
    expected += [TAIWAN[0], "packed text", "天气"]
    for settings in ({}, {"streaming": True}, {"encoding": "gb18030"}, {"lines": True}):
        found, report = load(tmp_path, **settings)
        assert sorted(found) == sorted(expected)
        assert "a folder of 10 text files; 5 in UTF-8 and 4 in gb18030 and 1 in UTF-16; " in report
        assert "1 is empty; not read: 4 other files (" in report
        assert ("each line is a document" if "lines" in settings else "each file is one document") in report
    assert "1 text without a character" in load(tmp_path)[1]
    (tmp_path / "gone.txt").symlink_to("nowhere")
    assert "gone.txt: is a link to nowhere, which is not there" in refusal(tmp_path)
    write(tmp_path, "other/a.pdf", "no text")
    assert refusal(tmp_path / "other").endswith("or give a folder of .txt files")


CHAT = "say how a message is written with --join_columns {0} --text_template '{{{1}}}: {{{2}}}'"
TABLES = [
    ({"instruction": "Übersetze", "input": "", "output": "ja"}, "--join_columns instruction,input,output (a blank"),
    ({"prompt": "Bonjour", "completion": "Salut"}, r"--text_template '{prompt}\n\n{completion}'"),
    ({"question": "谁?", "answer": "我"}, "--join_columns question,answer"),
    ({"问题": "谁?", "答案": "我"}, "--join_columns '问题,答案'"),
    ({"system": "Be kind", "prompt": "a b", "response": "c d"}, "--join_columns system,prompt,response"),
    (
        {"context": "c", "question": "q", "answers": {"text": ["a"], "answer_start": [0]}},
        "context,question,answers.text",
    ),
    ({"messages": MESSAGES}, CHAT.format("messages", "role", "content")),
    (
        {"id": 1, "turns": [{"human": "a", "assistant": "b"}]},
        r"--join_columns turns --text_template '{human}\n{assistant}'",
    ),
    ({"id": "1", "conversations": SHARED}, CHAT.format("conversations", "from", "value")),
]


@pytest.mark.parametrize(("row", "flags"), TABLES, ids=[" ".join(row) for row, _ in TABLES])
@pytest.mark.parametrize("streaming", [False, True])
def test_instructions_and_conversations_are_one_sentence_whose_flags_work(tmp_path, row, flags, streaming):
    write(tmp_path, "table.jsonl", jsonl([row] * 3))
    sentence = refusal(tmp_path / "table.jsonl", streaming=streaming)
    assert flags in sentence
    assert "table.jsonl is a table of " in sentence
    assert "reads plain texts" in sentence
    pasted = dict(re.findall(r"--(join_columns|text_template) ('[^']*'|\S+)", sentence))
    pasted = {name: value.strip("'") for name, value in pasted.items()}
    if "lists of" in sentence:  # both flags belong together
        between = "\n" if "turns" in row else ": "
        written = "\n".join(between.join(one.values()) for one in list(row.values())[-1])
        assert load(tmp_path / "table.jsonl", streaming=streaming, **pasted)[0] == [written] * 3
        return
    for name, value in pasted.items():
        found, report = load(tmp_path / "table.jsonl", streaming=streaming, **{name: value})
        assert len(found) == 3
        assert "texts: " in report


def test_columns_are_joined_without_what_is_missing_and_that_is_counted(tmp_path):
    rows = [{"instruction": "Add", "input": "1 2", "output": 3}, {"instruction": "Sing", "input": "", "output": None}]
    write(tmp_path, "t.json", json.dumps([*rows, {"instruction": None, "input": " ", "output": None}]))
    found, report = load(tmp_path / "t.json", join_columns="instruction, input,output")
    assert found == ["Add\n\n1 2\n\n3", "Sing"]
    assert 'columns "instruction", "input", "output" joined by a blank line; 1 row lacks one of them' in report
    assert "left out of train: 1 text without a character" in report
    assert load(tmp_path / "t.json", join_columns="instruction,output", column_separator=r"\n")[0] == ["Add\n3", "Sing"]
    template = r"{{Q}} {instruction}\nA: {output}"
    assert load(tmp_path / "t.json", text_template=template)[0] == ["{Q} Add\nA: 3", "{Q} Sing\nA: "]
    write(tmp_path, "c.jsonl", jsonl([{"text": "x", "join": 1}]))
    assert load(tmp_path / "c.jsonl", text_column="text")[0] == ["x"]
    both = {"join_columns": "text", "text_column": "text"}
    for settings, words in (
        ({"join_columns": "text,more"}, 'join_columns names "more", but the dataset has "text", "join"'),
        ({"text_template": "{more}"}, 'text_template names "more"'),
        ({"text_template": "no column"}, "names no column"),
        ({"text_template": "{text"}, "can't be read"),
        ({"join_columns": "text,text"}, "twice"),
        (both, "exclude one another"),
        ({"join_columns": "text", "text_template": "{text}"}, "exclude one another"),
    ):
        assert words in refusal(tmp_path / "c.jsonl", **settings)
    write(tmp_path, "plain.txt", "a\nb")
    assert "has no columns" in refusal(tmp_path / "plain.txt", join_columns="a,b")


def test_messages_are_written_by_the_tokenizers_chat_template_if_it_has_one(tmp_path):
    write(tmp_path, "t.jsonl", jsonl([{"conversations": SHARED}]))
    settings = DocumentSettings(validation_fraction=0.0, join_columns="conversations")
    with pytest.raises(UserError, match=r"no chat template for them: say how each is written with --text_template"):
        load_documents(str(tmp_path / "t.jsonl"), settings)
    shown = lambda messages: "".join(f"<{one['role']}>{one['content']}" for one in messages)  # noqa: E731
    documents, report = load_documents(str(tmp_path / "t.jsonl"), settings, chat=shown)
    assert list(documents["train"]) == ["<user>Hallo<assistant>Guten Tag"]
    assert "by the tokenizer's chat template" in report[2]


def test_what_would_be_learnt_for_something_else_is_refused(tmp_path):
    written = json.dumps(json.dumps(MESSAGES))
    write(tmp_path, "written.jsonl", f'{{"messages": {written}}}\n')
    assert "conversations written as a text" in refusal(tmp_path / "written.jsonl")
    assert load(tmp_path / "written.jsonl", text_column="messages")[0] == [json.dumps(MESSAGES)]
    write(tmp_path, "lists.jsonl", jsonl([{"id": 1, "paragraphs": ["a b", "c d"]}]))
    assert "--join_columns paragraphs makes one text of each" in refusal(tmp_path / "lists.jsonl")
    assert load(tmp_path / "lists.jsonl", join_columns="paragraphs")[0] == ["a b\nc d"]
    for value in ('["a", 3]', '["a", ' + "[" * 99_999, '["a", ' + "9" * 5_000 + "]", '["a"'):
        write(tmp_path, "list.json", value)
        assert "list.json: row " in refusal(tmp_path / "list.json")
    write(tmp_path, "mixed/part-1.jsonl", jsonl([{"text": "a"}]))
    write(tmp_path, "mixed/LICENSE.txt", "no text of the corpus")
    assert '1 plain texts ("LICENSE.txt") and 1 tables ("part-1.jsonl")' in refusal(tmp_path / "mixed")


def test_splits_of_which_one_lacks_columns_are_named(tmp_path):
    write(tmp_path, "train.jsonl", jsonl([{"q": "a", "a": "b"}]))
    write(tmp_path, "dev.jsonl", jsonl([{"q": "a", "a": "b"}, {"q": "c"}]))
    report = load(tmp_path, join_columns="q,a")[1]
    assert 'train: texts: columns "q", "a" joined by a blank line\n' in report
    assert 'validation: texts: columns "q", "a" joined by a blank line; 1 row lacks one of them' in report


@pytest.mark.parametrize("first", ["null", '"NA"', "12"])
def test_a_stream_of_the_hub_is_not_judged_by_its_first_rows(tmp_path, monkeypatch, first):
    rows = [f'{{"id": {n}, "text": {first}}}' for n in range(1200)]
    write(tmp_path, "a.jsonl", "\n".join([*rows, *(json.dumps({"id": 0, "text": text}) for text in FRENCH)]))
    reads = {"data_files": str(tmp_path / "a.jsonl"), "cache_dir": str(tmp_path / "cache"), "streaming": True}
    monkeypatch.setattr(document_sources, "load_hub", lambda *_, **__: datasets.load_dataset("json", **reads))
    settings = {"streaming": True, "validation_fraction": 0.0}
    documents, _ = load_documents("somebody/corpus", DocumentSettings(**settings))
    assert list(documents["train"]) == ([] if first == "null" else [first.strip('"')] * 1200) + FRENCH


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (["text", *map(str, range(1200)), "a word"], [*map(str, range(1200)), "a word"]),
        (["text,label", *["NA,1"] * 1200, "a word,2"], [*["NA"] * 1200, "a word"]),
    ],
)
def test_a_stream_of_a_table_is_not_judged_by_its_first_rows(tmp_path, rows, found):
    write(tmp_path, "late.csv", "\n".join(rows))
    assert load(tmp_path / "late.csv", streaming=True)[0] == found == load(tmp_path / "late.csv")[0]
    write(tmp_path, "late.jsonl", jsonl([*[{"text": None}] * 1200, {"text": "a word"}]))
    assert load(tmp_path / "late.jsonl", streaming=True)[0] == ["a word"] == load(tmp_path / "late.jsonl")[0]

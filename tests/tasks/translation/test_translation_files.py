"""Files of pairs as people have them -> the pairs, their languages, and what the run says; or one question."""

import gzip
import json
import re
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import translate

from hf_xfmr.data.table import reading
from hf_xfmr.data.table.settings import TableSettings
from hf_xfmr.errors import UserError
from hf_xfmr.tasks.translation.parallel import read_pairs

ENGLISH = ["Go.", "Hello, my friend!", "Where is the station?", "It is raining today.", "She reads a book."]
FRENCH = ["Va !", "Bonjour mon ami !", "Où est la gare ?", "Il pleut aujourd'hui.", "Elle lit un livre."]
GERMAN = ["Geh.", "Hallo, mein Freund!", "Wo ist der Bahnhof?", "Es regnet heute.", "Sie liest ein Buch."]
CHINESE = ["走吧。", "你好,我的朋友!", "车站在哪里?", "今天下雨。", "她在看书。"]
TO_FRENCH = list(zip(ENGLISH, FRENCH, strict=True))
TEXTS = {"en": ENGLISH, "fr": FRENCH, "de": GERMAN, "zh": CHINESE}
TOLD = {"source": "en", "target": "fr"}


def write(folder: Path, name: str, content: str | bytes, encoding: str = "utf-8") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else content.encode(encoding)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


def load(dataset, *, source=None, target=None, drop_empty=False, **settings):
    """The pairs of train, `source>target`, and the report's lines."""
    notes, readings = [], []
    pairs = read_pairs(
        str(dataset), source=source, target=target, drop_empty=drop_empty, notes=notes, readings=readings,
        table=TableSettings(**settings),
    )  # fmt: skip
    train = pairs["train"]
    rows = list(zip(train["source"], train["target"], strict=True))
    return rows, f"{pairs.source_lang}>{pairs.target_lang}", "\n".join([*reading.lines(readings), *notes])


def refusal(dataset, **settings) -> str:
    with pytest.raises(UserError) as caught:
        load(dataset, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


DTD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n'


def memory(*codes: str, head: str = DTD, more: str = "", mark: str = "xml:lang", source: str = "en") -> str:
    """A TMX file of the texts of those languages."""
    sides = [TEXTS[re.split("[-_]", code)[0].lower()] for code in codes]
    units = [
        "".join(f'<tuv {mark}="{code}"><seg>{text}</seg></tuv>' for code, text in zip(codes, texts, strict=True))
        for texts in zip(*sides, strict=True)
    ]
    body = "\n".join(f"<tu>{unit}</tu>" for unit in units)
    return f'{head}<tmx version="1.4"><header srclang="{source}"/><body>\n{body}\n{more}</body></tmx>'


def unit(**texts: str) -> str:
    sides = "".join(f'<tuv xml:lang="{code}"><seg>{text}</seg></tuv>' for code, text in texts.items())
    return f"<tu>{sides}</tu>"


def rows(first: str = "", mark: str = "\t", more: str = "") -> str:
    return first + "".join(f"{one}{mark}{other}{more}\n" for one, other in TO_FRENCH)


def jsonl(values) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


NESTED = [{"id": n, "translation": {"en": a, "fr": b}} for n, (a, b) in enumerate(TO_FRENCH)]
WITH_GERMAN = [{"translation": {**row["translation"], "de": de}} for row, de in zip(NESTED, GERMAN, strict=True)]
INLINE = unit(en='Click <bpt i="1">[</bpt>here<ept i="1">]</ept>, <hi>now</hi>&nbsp;&amp; then', fr="Cliquez ici")
GB = '<?xml version="1.0" encoding="gb2312"?>'
WIDE = '<?xml version="1.0" encoding="UTF-16"?>'
# file, its content, encoding, settings -> source>target, and what the report says
FILES = [
    ("a.tmx", memory("en", "fr"), "utf-8", {}, "en>fr", "read: a.tmx as TMX, 5 rows"),
    ("a.tmx", memory("fr-FR", "en-US"), "utf-8", {}, "en>fr", "5 rows"),  # the header says from what
    ("a.tmx", memory("fr-FR", "en-US", source="*all*"), "utf-8", {}, "fr>en", "5 rows"),
    ("a.tmx", memory("en-US", "fr-FR"), "utf-8", {"source": "fr"}, "fr>en", "5 rows"),
    ("a.tmx", memory("en-US", "fr-FR"), "utf-8", {"source": "en-us", "target": "fr-FR"}, "en-us>fr-FR", "5 rows"),
    ("a.tmx.gz", memory("EN", "FR", mark="lang", head=""), "utf-8", {}, "en>fr", "packed by gzip"),
    ("a.tmx", memory("en", "fr", "de"), "utf-8", {"target": "de", "source": "en"}, "en>de", 'not read: "fr"'),
    ("a.tmx", memory("en", "fr", more=unit(en="alone")), "utf-8", {}, "en>fr", "6 rows; 1 unit without en or fr"),
    ("a.tmx", memory("en", "zh-CN", head=GB), "gb18030", {}, "en>zh", "5 rows"),
    ("a.tmx", memory("en", "zh-CN", head=""), "gb18030", {"encoding": "gb18030"}, "en>zh", "5 rows"),
    ("a.tmx", memory("en", "zh-CN", head=WIDE), "utf-16", {}, "en>zh", "5 rows"),
    ("pairs.tsv", rows(), "utf-8", TOLD, "en>fr", "the first line is a row"),
    ("pairs.csv", rows(mark=";"), "cp1252", TOLD, "en>fr", "semicolons, windows-1252"),
    ("pairs.tsv", rows(), "utf-8", {"source": "column_2", "target": "column_1"}, "column_2>column_1", "is a row"),
    ("pairs.tsv", rows("Hello\tBonjour\n"), "utf-8", {**TOLD, "header": False}, "en>fr", "6 rows"),
    (
        "fra.txt",
        rows(more="\tCC-BY, by me"),
        "utf-8",
        {"source": "column_1", "target": "column_2"},
        "column_1>column_2",
        '"column_3"',
    ),
    (
        "ids.tsv",
        "".join(f"{n}\t{a}\t{n + 9}\t{b}\n" for n, (a, b) in enumerate(TO_FRENCH)),
        "utf-8",
        TOLD,
        "en>fr",
        "4 columns",
    ),
    ("named.tsv", rows("en\tfr\n"), "utf-8", {}, "en>fr", "5 rows, 2 columns"),
    ("named.tsv", rows("en-US\tfr_FR\n"), "utf-8", {"source": "fr", "target": "en"}, "fr_FR>en-US", "5 rows"),
    ("named.tsv", rows("en\tfr\tnote\n", more="\ta b"), "utf-8", {}, "en>fr", 'not read: "note"'),
    ("named.tsv", rows("source_text\ttarget_text\n"), "utf-8", {}, "source_text>target_text", "5 rows"),
    ("t.jsonl", jsonl(NESTED), "utf-8", {}, "en>fr", "as JSON lines"),
    ("t.jsonl.gz", jsonl(NESTED), "utf-8", {"source": "fr"}, "fr>en", "packed by gzip"),
    ("t.json", json.dumps(NESTED), "utf-8", {}, "en>fr", "as JSON"),
    ("t.json", json.dumps({"data": NESTED}), "utf-8", {}, "en>fr", 'the rows are those under "data"'),
    ("t.json", json.dumps([row["translation"] for row in NESTED]), "utf-8", {}, "en>fr", "as JSON"),
    ("t.jsonl", jsonl(WITH_GERMAN), "utf-8", {"source": "de", "target": "en"}, "de>en", 'not read: "fr"'),
]


@pytest.mark.parametrize(("name", "content", "encoding", "settings", "languages", "said"), FILES)
def test_what_a_file_of_pairs_is_taken_for(tmp_path, name, content, encoding, settings, languages, said):
    write(tmp_path, name, content, encoding)
    pairs, found, report = load(tmp_path / name, **settings)
    assert found == languages
    assert said in report
    ones = {"column_2": FRENCH, "column_1": ENGLISH, "source_text": ENGLISH, "target_text": FRENCH}
    sides = [ones.get(side) or TEXTS[re.split("[-_]", side)[0]] for side in found.split(">")]
    if "Hello\tBonjour" in content:
        assert pairs.pop(0) == ("Hello", "Bonjour")
    # Semicolons and quotes are in no text; a file's own first pair is a pair.
    assert pairs == list(zip(*sides, strict=True))


def test_a_memory_s_tags_variants_and_empty_sides_are_counted(tmp_path):
    more = INLINE + '<tu><tuv xml:lang="en"><seg>a\n  b</seg></tuv><tuv xml:lang="fr"><seg>c</seg></tuv>'
    more += '<tuv xml:lang="fr"><seg>d</seg></tuv></tu>'
    write(tmp_path, "a.tmx", memory("en", "fr", more=more))
    pairs, _, report = load(tmp_path / "a.tmx")
    assert pairs[5:] == [("Click [here], now\N{NO-BREAK SPACE}& then", "Cliquez ici"), ("a   b", "c")]
    assert "3 inline tags taken off, and what stands within kept; 1 further text of a language" in report
    write(tmp_path, "b.tmx", memory("en", "fr", more=unit(en=" ", fr="c")))
    assert "row 5 (counted from 0): no text on one of the sides" in refusal(tmp_path / "b.tmx")
    pairs, _, report = load(tmp_path / "b.tmx", drop_empty=True)
    assert pairs == TO_FRENCH
    assert "dropped: 1 of 6 train pairs, which lack a side" in report


ENTITY = '<?xml version="1.0"?><!DOCTYPE tmx [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE tmx [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
WHICH = "say which is the source by source_lang and which the target by target_lang, as --source_lang"
QUESTION = 'the first line, "Hello", "Bonjour", could be the names of the columns or a'
QUESTIONS = [
    ("a.tmx", memory("en", "fr", "de"), {}, f'holds "en", "fr", "de": {WHICH} en --target_lang fr'),
    ("a.tmx", memory("en", "fr"), {"source": "de"}, 'has no texts of that name; it has "en", "fr"'),
    ("a.tmx", memory("en", "fr"), {"source": "en", "target": "en"}, "must be different"),
    ("a.tmx", memory("en", "fr", head=ENTITY), {}, "declares entities of its own (&a;)"),
    ("a.tmx", memory("en", "fr", head=OUTSIDE), {}, "declares entities of its own (&a;)"),
    ("a.tmx", memory("en", "fr", more=unit(en="&nosuch;", fr="x")), {}, "&nosuch; stands for nothing"),
    ("a.tmx", memory("en", "fr")[:-40], {}, "is not XML"),
    ("a.tmx", "<map></map>", {}, "is no translation memory"),
    ("a.tmx", memory(), {}, "has no units"),
    ("a.tmx", memory("en", "zh", head="").encode("gb18030"), {}, "say another encoding by --encoding"),
    ("pairs.tsv", rows(), {}, "say it with --source_lang column_1 --target_lang column_2"),
    ("three.tsv", rows(more="\tCC-BY, by me"), {}, "its 3 columns have no names"),
    ("short.tsv", rows("Hello\tBonjour\n"), {}, QUESTION),
    ("short.tsv", rows("Hello\tBonjour\n"), TOLD, QUESTION),
    ("words.tsv", "Hello\tBonjour\nYes\tOui\nNo\tNon\n", TOLD, QUESTION),
    ("words.tsv", rows("No\tNon\n"), {}, "could be the names of the columns or a"),
    ("t.jsonl", jsonl(WITH_GERMAN), {}, WHICH),
    ("one.tsv", "\n".join(ENGLISH), TOLD, "has one column alone"),
    ("one.jsonl", jsonl([{"en": "a"}]), {}, 'has only "en"; a pair is of two texts'),
]


@pytest.mark.parametrize(("name", "content", "settings", "sentence"), QUESTIONS)
def test_what_is_not_sure_is_one_question_with_its_flags(tmp_path, name, content, settings, sentence):
    write(tmp_path, name, content)
    assert sentence in refusal(tmp_path / name, **settings)


@pytest.mark.parametrize(
    "name", ["~nobody_here/x.tmx", "~nobody_here/c", "https://example.org/c.tmx", "x" * 300, "a.en,"]
)
def test_names_that_nothing_can_have_are_one_sentence(name):
    refusal(name)


def moses(folder: Path, stem: str, *codes: str, end: str = "") -> None:
    for code in codes:
        write(folder, f"{stem}.{code}{end}".lstrip("."), "\n".join(TEXTS[code]) + "\n")


def test_parallel_texts_are_found_by_a_prefix_a_folder_or_both_names(tmp_path):
    moses(tmp_path / "one", "corpus.en-fr", "fr", "en")
    for name in ("LICENSE", "README", "corpus.en-fr.xml", "corpus.en-fr.ids", ".corpus.de"):
        write(tmp_path / "one", name, "beside the texts")
    for name in ("one", "one/corpus.en-fr", "one/corpus", "one/corpus.en-fr.en,{}/one/corpus.en-fr.fr"):
        pairs, languages, report = load(f"{tmp_path}/{name.format(tmp_path)}")
        assert (pairs, languages) == (TO_FRENCH, "en>fr")
        assert "read: corpus.en-fr.en as text, UTF-8, 5 rows\nread: corpus.en-fr.fr as text" in report
    assert load(tmp_path / "one", source="fr")[:2] == ([(b, a) for a, b in TO_FRENCH], "fr>en")
    assert "give both, as --dataset " in refusal(tmp_path / "one/corpus.en-fr.en")

    moses(tmp_path / "plain", "corpus", "en", "fr")  # nothing says which is the source
    assert WHICH in refusal(tmp_path / "plain/corpus")
    assert load(tmp_path / "plain/corpus", target="fr")[1] == "en>fr"
    for folder, stem, end in (("txt", "", ".txt"), ("gz", "corpus", ".gz"), ("split", "train", ".txt")):
        moses(tmp_path / folder, stem, "en", "fr", end=end)
        assert load(tmp_path / folder, **TOLD)[:2] == (TO_FRENCH, "en>fr")

    for code in TOLD.values():
        write(tmp_path / "old", f"c.{code}", "\r".join(TEXTS[code]))
    assert load(tmp_path / "old/c", **TOLD)[0] == TO_FRENCH

    moses(tmp_path / "several", "news.de-en", "de", "en")
    moses(tmp_path / "several", "euro.en-fr", "en", "fr")
    moses(tmp_path / "several", "books.en-fr", "en", "fr")
    question = 'holds several pairs of texts ("books.en-fr", "euro.en-fr", "news.de-en"): give one, as --dataset '
    assert question in refusal(tmp_path / "several")
    assert load(tmp_path / "several", source="de", target="en")[1] == "de>en"
    assert '("books.en-fr", "euro.en-fr"): give one' in refusal(tmp_path / "several", **TOLD)
    assert load(tmp_path / "several/euro.en-fr")[0] == TO_FRENCH

    moses(tmp_path / "bad", "a.en-fr", "en", "fr")
    write(tmp_path / "bad", "a.en-fr.fr", "one line\n")
    assert re.search(r"a\.en-fr\.en has 5 lines but .*a\.en-fr\.fr has 1", refusal(tmp_path / "bad"))


def test_archives_of_opus_and_pairs_nested_in_parquet(tmp_path):
    with zipfile.ZipFile(tmp_path / "moses.zip", "w") as archive:
        for name in ("README", "LICENSE", "Tatoeba.en-fr.xml"):
            archive.writestr(name, "beside the texts")
        archive.writestr("Tatoeba.en-fr.fr", "\n".join(FRENCH))
        archive.writestr("Tatoeba.en-fr.en", "\n".join(ENGLISH))
    with zipfile.ZipFile(tmp_path / "memory.zip", "w") as archive:
        archive.writestr("README", "beside the memory")
        archive.writestr("en-fr.tmx", memory("en", "fr"))
    pq.write_table(pa.Table.from_pylist(NESTED), tmp_path / "t.parquet")
    write(tmp_path, "folder/train.tmx", memory("en", "fr"))
    write(tmp_path, "folder/dev.tmx", memory("en", "fr"))
    for name, said in (("moses.zip", "packed by zip"), ("memory.zip", "as TMX, packed by zip"), ("t.parquet", "Parq")):
        pairs, languages, report = load(tmp_path / name)
        assert (pairs, languages) == (TO_FRENCH, "en>fr")
        assert said in report
    assert load(tmp_path / "folder")[2].count("as TMX") == 2


def test_two_steps_of_the_recipe_on_a_memory(tmp_path, capsys):
    unlike = "".join(unit(en=f"number {n}", fr=f"numéro {n}") for n in range(80))
    write(tmp_path, "a.tmx", memory("en", "fr", more=unlike + unit(en="alone")))
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2}
    sizes |= {
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16,
        "max_position_embeddings": 128,
    }
    given = ["--dataset", str(tmp_path / "a.tmx"), "--output_dir", str(tmp_path / "run"), "--max_steps", "2"]
    given += ["--model_config", json.dumps(sizes), "--tokenizer_kind", "char", "--eval_sentences", "2"]
    assert "test" in translate.main([*given, "--num_beams", "1", "--bf16", "false", "--disable_tqdm", "true"])
    first = capsys.readouterr().out.splitlines()[:2]
    assert first[0].endswith("a.tmx, en to fr")
    assert first[1] == "read: a.tmx as TMX, 86 rows; 1 unit without en or fr, no pairs, left out"

"""The recipe on corpora as people have them: two steps, and the first lines that say how they were read."""

import json
from pathlib import Path

import finetune_gpt2
import pytest

from hf_xfmr import tokenizer
from hf_xfmr.errors import UserError
from hf_xfmr.tasks.language_modeling.data import LanguageModelingSettings, language_modeling

FAST = ["--max_steps", "2", "--per_device_train_batch_size", "4", "--eval_strategy", "no", "--save_strategy", "no"]
FAST += ["--bf16", "false", "--disable_tqdm", "true", "--sample_every", "0"]
TINY = '{"n_positions": 32, "n_layer": 1, "n_head": 2, "n_embd": 16}'


def run(data: Path, *flags: str) -> dict:
    given = ["--dataset", str(data), "--output_dir", str(data.parent / "run"), "--tokenizer", "char", *FAST]
    return finetune_gpt2.main([*given, "--model_config", TINY, *flags])


def jsonl(path: Path, rows) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_folder_of_gbk_texts(tmp_path, capsys):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(40):
        text = f"第{number}篇文章:今天天气很好,我们去公园散步。"
        (folder / f"{number}.txt").write_bytes(text.encode("utf-8" if number % 4 == 0 else "gbk"))
    assert run(folder)["validation"]["tokens"] > 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("read: corpus as a folder of 40 text files; 30 in gb18030 and 10 in UTF-8; each file is")


def test_instructions_are_texts_by_the_flag_that_joins_their_columns(tmp_path, capsys):
    rows = [{"instruction": f"Compte jusqu'à {n}", "input": "", "output": f"un à {n}"} for n in range(60)]
    run(jsonl(tmp_path / "alpaca.jsonl", rows), "--join_columns", "instruction,input,output")
    lines = capsys.readouterr().out.splitlines()
    joined = 'texts: columns "instruction", "input", "output" joined by a blank line'
    assert lines[2] == f"{joined}; 60 rows lack one of them, left out there"


def test_the_help_s_own_separator(tmp_path, capsys):
    data = tmp_path / "poems.txt"
    data.write_text("\n---\n".join(f"poem {n}\nof two lines" for n in range(60)))
    run(data, "--separator", "---")
    assert 'documents stand between lines "---"' in capsys.readouterr().out.splitlines()[1]


def test_a_stream_whose_first_rows_have_no_text(tmp_path, capsys):
    data = jsonl(tmp_path / "a.jsonl", [*[{"text": None}] * 1100, *({"text": f"Satz Nummer {n}"} for n in range(50))])
    run(data, "--streaming", "true", "--validation_fraction", "0")
    assert 'texts: column "text"' in capsys.readouterr().out.splitlines()


def test_conversations_are_written_by_the_chat_template_of_the_tokenizer(tmp_path):
    turns = [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "ba"}]
    data = str(jsonl(tmp_path / "chat.jsonl", [{"messages": turns}]))
    letters = tokenizer.train(["ab <user>assistant"], "char", model_max_length=40)
    settings = LanguageModelingSettings(validation_fraction=0.0, join_columns="messages")
    with pytest.raises(UserError, match="no chat template for them: say how each is written with --text_template"):
        language_modeling(data, letters, settings, max_positions=40)
    letters.chat_template = "{% for one in messages %}<{{ one.role }}>{{ one.content }}{% endfor %}"
    corpus = language_modeling(data, letters, settings, max_positions=40)
    assert list(corpus.documents["train"]) == ["<user>ab<assistant>ba"]
    assert 'texts: column "messages", by the tokenizer\'s chat template' in corpus.report
    letters.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(UserError, match=r'refuses a conversation of column "messages" \(roles must alternate\)'):
        language_modeling(data, letters, settings, max_positions=40)

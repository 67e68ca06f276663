"""Pre-training on corpora as people have them: two steps, and the first lines that say how they were read."""

import json
from pathlib import Path

import pretrain_bert
import pytest

from hf_xfmr.errors import UserError

TINY = {"vocab_size": 200, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
TINY |= {"intermediate_size": 16, "max_position_embeddings": 32}
FAST = ["--max_steps", "2", "--per_device_train_batch_size", "4", "--eval_strategy", "no", "--save_strategy", "no"]
FAST += ["--bf16", "false", "--disable_tqdm", "true"]


def run(data: Path, *flags: str) -> dict:
    given = ["--dataset", str(data), "--output_dir", str(data.parent / "run"), "--model_config", json.dumps(TINY)]
    return pretrain_bert.main([*given, *FAST, *flags])


def test_bert_s_own_layout_sentences_a_line_and_blank_lines_between_documents(tmp_path, capsys):
    data = tmp_path / "wiki.txt"
    data.write_text("\n\n".join(f"Satz eins von {n}.\nSatz zwei von {n}.\nNoch einer." for n in range(60)))
    with pytest.raises(UserError, match='train is one document: say what separates documents \\(--separator ""'):
        run(data)
    run(data, "--nsp", "false")
    taken = "one document of 180 lines in 60 parts between blank lines (--separator"
    assert taken in capsys.readouterr().out.splitlines()[1]
    run(data, "--separator", "")
    assert "documents stand between blank lines" in capsys.readouterr().out.splitlines()[1]


@pytest.mark.parametrize("streaming", ["false", "true"])
def test_questions_and_answers_are_joined_or_refused(tmp_path, capsys, streaming):
    rows = [{"question": None if n < 3 else f"第{n}个问题?", "answer": f"答案是{n}。很好。"} for n in range(60)]
    data = tmp_path / "qa.jsonl"
    data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    flags = ["--streaming", streaming]
    with pytest.raises(UserError, match="--join_columns question,answer"):
        run(data, *flags)
    run(data, *flags, "--text_template", r"{question}\n{answer}")
    line = capsys.readouterr().out.splitlines()[2]
    assert line.startswith('texts: "question", "answer" in the template ')
    assert ("3 rows lack one of them" in line) == (streaming == "false")  # a stream is not counted before

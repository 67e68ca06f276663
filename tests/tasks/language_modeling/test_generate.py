"""`python -m hf_xfmr generate`: prompts in, texts out, the same alone as in a batch."""

import argparse
import json
import subprocess
import sys

import pytest
import torch
from oracles import tiny_stock
from transformers import GPT2LMHeadModel

from hf_xfmr import tokenizer
from hf_xfmr.commands import generate
from hf_xfmr.errors import UserError
from hf_xfmr.tasks.language_modeling.generator import Generator

LETTERS = "abcdefgh 今天天气不错"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    """A tiny stock GPT-2 with a tokenizer that, as GPT-2's, has no padding token."""
    folder = tmp_path_factory.mktemp("gpt2")
    own = tokenizer.train([LETTERS], "char", model_max_length=40)
    own.pad_token = None
    own.save_pretrained(folder)
    tiny_stock(GPT2LMHeadModel, vocab_size=len(own), bos_token_id=0, eos_token_id=0).save_pretrained(folder)
    return str(folder)


def answers(capsys, *words: str) -> str:
    parser = argparse.ArgumentParser()
    generate.add_arguments(parser)
    generate.run(parser.parse_args([*words]))
    return capsys.readouterr().out


def test_prompts_of_a_batch_go_on_as_each_does_alone(folder, tmp_path, capsys):
    prompts = ["今天天气", "a", "abc 今天天气不错 abc"]
    file = tmp_path / "prompts.txt"
    file.write_text("\n".join([*prompts[1:], "", ""]), encoding="utf-8")
    options = ["--temperature", "0", "--max_new_tokens", "12"]
    rows = [
        json.loads(line) for line in answers(capsys, folder, prompts[0], "--file", str(file), *options).splitlines()
    ]
    assert [row["prompt"] for row in rows] == prompts
    model = GPT2LMHeadModel.from_pretrained(folder)
    own = Generator(folder).tokenizer
    for prompt, row in zip(prompts, rows, strict=True):
        ids = torch.tensor([own(prompt).input_ids])
        alone = model.generate(ids, max_new_tokens=12, do_sample=False, pad_token_id=0)
        assert row["text"] == own.decode(alone[0], skip_special_tokens=True)
        assert answers(capsys, folder, prompt, *options) == row["text"] + "\n"  # streamed
    batches_of_one = answers(capsys, folder, *prompts, *options, "--batch_size", "1")
    assert [json.loads(line) for line in batches_of_one.splitlines()] == rows


def test_sampling_follows_its_seed_and_beams_search(folder, capsys):
    words = [folder, "今天天气", "--max_new_tokens", "20", "--temperature", "2"]
    first = answers(capsys, *words)
    assert first == answers(capsys, *words)
    assert first != answers(capsys, *words, "--seed", "1")
    assert answers(capsys, *words, "--top_k", "1") == answers(capsys, *words[:-1], "0")  # the likeliest is the only one

    def likelihood(text: str) -> float:
        ids = torch.tensor([generator.tokenizer(text).input_ids])
        scores = torch.log_softmax(generator.engine.model(ids).logits[0], -1)
        return float(sum(scores[place - 1, ids[0, place]] for place in range(4, 10)))

    generator = Generator(folder)
    greedy, searched = (
        json.loads(answers(capsys, folder, "今天天气", "x", "--max_new_tokens", "6", *how).splitlines()[0])["text"]
        for how in (["--temperature", "0"], ["--num_beams", "8"])
    )
    assert likelihood(searched) >= likelihood(greedy)


def test_no_more_is_written_than_the_model_has_positions_for(folder, capsys):
    generator = Generator(folder, do_sample=False)
    (text,) = generator(["a" * 30])
    assert text.startswith("a" * 30)
    assert "max_new_tokens: 10, all the model has positions for" in capsys.readouterr().err
    with pytest.raises(UserError, match="40 tokens and 100 new ones are more than the 40 positions"):
        generator(["a" * 40])
    with pytest.raises(UserError, match="30 tokens and 11 new ones are more than the 40 positions"):
        Generator(folder, max_new_tokens=11)(["a" * 30])
    assert generator([""])[0] is not None  # begins at the beginning of a text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no prompts"),
        (["--file", "nowhere.txt"], "nowhere.txt: there is no such file of prompts"),
        (["a", "--top_p", "0"], "top_p is 0.0; it must be above 0"),
        (["a", "--max_new_tokens", "0"], "max_new_tokens is 0"),
    ],
)
def test_bad_arguments_are_one_sentence(folder, capsys, words, message):
    with pytest.raises(UserError, match=message):
        answers(capsys, folder, *words)


def test_the_program_itself(folder):
    command = [sys.executable, "-m", "hf_xfmr", "generate", folder]
    done = subprocess.run([*command, "今天天气", "--max_new_tokens", "5"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("今天天气")


def test_a_folder_that_is_not_there_is_one_sentence(capsys):
    with pytest.raises(UserError, match="model: there is no folder /nowhere/model"):
        answers(capsys, "/nowhere/model", "a")

"""Words of one's field: a token each for stock too, embeddings that begin as the mean of their parts, shorter texts."""

import json

import finetune_gpt2
import pretrain_bert
import pytest
import torch
from oracles import tensors, tiny_stock
from transformers import AutoTokenizer, BertForPreTraining, BertTokenizer, GPT2LMHeadModel

import hf_xfmr
from hf_xfmr import tokenizer
from hf_xfmr.errors import UserError
from hf_xfmr.run import own_words
from hf_xfmr.tokenizer import own_words as added

FIELD = ["hypertension", "fibrosis", "myalgia"]
TEXTS = [f"the {word} of a cat is no {other} at all." for word in FIELD for other in FIELD] * 15
FAST = ["--max_steps", "2", "--per_device_train_batch_size", "4", "--eval_strategy", "no", "--save_strategy", "no"]
FAST += ["--bf16", "false", "--disable_tqdm", "true", "--report_to", "none"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A BERT and a GPT-2 whose tokenizers know letters and a few words, and a corpus."""
    home = tmp_path_factory.mktemp("words")
    letters = "abcdefghijklmnopqrstuvwxyz."
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{one}" for one in letters)]
    words = BertTokenizer(vocab={one: n for n, one in enumerate([*pieces, "the", "cat"])}, model_max_length=64)
    words.save_pretrained(home / "bert")
    tiny_stock(BertForPreTraining, vocab_size=len(words), max_position_embeddings=64).save_pretrained(home / "bert")
    bytes_ = tokenizer.train(["the cat is no dog of all at a"], "bpe", vocab_size=270, model_max_length=64)
    bytes_.save_pretrained(home / "gpt2")
    ends = {"bos_token_id": bytes_.eos_token_id, "eos_token_id": bytes_.eos_token_id}
    tiny_stock(GPT2LMHeadModel, vocab_size=len(bytes_), n_positions=64, **ends).save_pretrained(home / "gpt2")
    (home / "texts.txt").write_text("\n".join(TEXTS))
    (home / "words.txt").write_text("\n".join([*FIELD, "", "the"]))
    return home


def test_wordpiece_takes_whole_words_alone_in_any_case_and_stock_loads_them(home, tmp_path):
    own = AutoTokenizer.from_pretrained(home / "bert")
    before = own("a Fibrosis. fibrosisx", add_special_tokens=False).input_ids
    found = added.add(own, ["Fibrosis", "the", "fi9"])
    assert found.lines == [
        'add_words: 1 word is one token each now ("fibrosis"); 1 are one token already, 1 have characters that the '
        "tokenizer does not know"
    ]
    own.save_pretrained(tmp_path / "own")
    again = AutoTokenizer.from_pretrained(tmp_path / "own")
    (number,) = found.parts
    ids = again("a Fibrosis. fibrosisx", add_special_tokens=False).input_ids
    assert ids == [before[0], number, *before[1 + len("fibrosis") :]]
    assert found.parts[number] == before[1 : 1 + len("fibrosis")]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["αβγ", "βγ"], r'all 2 words have characters that the tokenizer does not know \("αβγ", "βγ"\)'),
        (["高血压"], r"the word has characters that the tokenizer does not know .* give other words, or a model"),
        (["the", "fi9"], r'of 2 words 1 are one token already, and all others have characters .* \("fi9"\)'),
        (["the", "cat"], r"all 2 words are one token already: leave it out, or give others"),
    ],
)
def test_words_of_which_none_can_be_added_are_told_why(home, given, says):
    with pytest.raises(UserError, match=says):
        added.add(AutoTokenizer.from_pretrained(home / "bert"), given)


def test_bpe_takes_merges_that_decode_to_the_same_text(home, tmp_path):
    own = AutoTokenizer.from_pretrained(home / "gpt2")
    text = "hypertension, a fibrosis of the cat; fibrosises é 高血压"
    pieces = own(" fibrosis").input_ids
    found = added.add(own, [*FIELD, "高血压"])
    assert found.lines[0].startswith("add_words: 4 words are one token each now (")
    own.save_pretrained(tmp_path / "own")
    again = AutoTokenizer.from_pretrained(tmp_path / "own")
    assert again.decode(again(text).input_ids) == text
    (number,) = again(" fibrosis").input_ids
    assert found.parts[number] == pieces
    assert len(again("高血压").input_ids) == 1
    others = "the cat is no dog of all at a"
    assert again(others).input_ids == AutoTokenizer.from_pretrained(home / "gpt2")(others).input_ids


RECIPES = {"bert": (pretrain_bert, ["--nsp", "true"]), "gpt2": (finetune_gpt2, ["--sample_every", "0"])}


@pytest.mark.parametrize("kind", RECIPES)
@pytest.mark.parametrize("told", ["auto", "words.txt"])
def test_a_run_with_words_begins_with_the_means_and_says_how_much_shorter_texts_are(home, tmp_path, capsys, kind, told):
    recipe, flags = RECIPES[kind]
    words = told if told == "auto" else str(home / told)
    given = ["--model", str(home / kind), "--dataset", str(home / "texts.txt"), "--lines", "true", *FAST, *flags]
    recipe.main([*given, "--output_dir", str(tmp_path / "run"), "--add_words", words, "--learning_rate", "1e-20"])
    said = capsys.readouterr().out
    assert "add_words: " in said
    share = float(said.partition("train texts are ")[2].partition("% shorter")[0])
    assert share > 40
    before, own = (AutoTokenizer.from_pretrained(folder) for folder in (home / kind, tmp_path / "run"))
    old, new = tensors(home / kind), tensors(tmp_path / "run")
    name = {"bert": "bert.embeddings.word_embeddings.weight", "gpt2": "transformer.wte.weight"}[kind]
    for word in FIELD:
        text = f" {word}" if kind == "gpt2" else word
        (number,) = own(text, add_special_tokens=False).input_ids
        parts = before(text, add_special_tokens=False).input_ids
        assert number >= len(before)
        assert torch.allclose(new[name][number], old[name][parts].mean(0), atol=1e-6)
        if kind == "bert":
            bias = "cls.predictions.bias"
            assert torch.allclose(new[bias][number], old[bias][parts].mean(0), atol=1e-6)
    assert torch.allclose(new[name][: len(before)], old[name], atol=1e-6)
    stock_class, ours = {
        "bert": (BertForPreTraining, hf_xfmr.XfmrBertForPreTraining),
        "gpt2": (GPT2LMHeadModel, hf_xfmr.XfmrGPT2ForCausalLM),
    }[kind]
    stock, mine = (one.from_pretrained(tmp_path / "run").eval() for one in (stock_class, ours))
    ids = own([TEXTS[0]], return_tensors="pt").input_ids
    theirs, logits = stock(ids)[0], mine(ids)[0]
    assert logits.shape[-1] == len(own)
    assert torch.allclose(logits, theirs, atol=1e-5)
    data = json.loads((tmp_path / "run" / "run.json").read_text())["data"]
    assert any(line.startswith("add_words: ") for line in data)


def test_a_run_with_words_that_was_stopped_ends_with_the_same_weights(home, tmp_path):
    given = ["--model", str(home / "bert"), "--dataset", str(home / "texts.txt"), "--lines", "true", *FAST]
    given += [
        "--nsp",
        "false",
        "--add_words",
        "auto",
        "--max_steps",
        "4",
        "--save_strategy",
        "steps",
        "--save_steps",
        "2",
    ]
    pretrain_bert.main([*given, "--output_dir", str(tmp_path / "whole")])
    (tmp_path / "stopped").mkdir()
    (tmp_path / "whole" / "checkpoint-2").rename(tmp_path / "stopped" / "checkpoint-2")
    pretrain_bert.main([*given, "--output_dir", str(tmp_path / "stopped")])
    whole, again = (tensors(tmp_path / name) for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def refused(home, tmp_path, model, *flags):
    given = ["--dataset", str(home / "texts.txt"), "--lines", "true", *FAST, "--nsp", "false"]
    own = ["--model", str(home / model)] if model else []
    pretrain_bert.main([*given, *own, "--output_dir", str(tmp_path / "run"), *flags])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (" \n\n", "the file is empty"),
        ("two words\n", 'line 1 is "two words", not one word'),
        ("the\ncat\n", "all 2 words are one token already"),
    ],
)
def test_a_file_that_holds_no_words_is_one_sentence(home, tmp_path, content, says):
    (tmp_path / "words.txt").write_text(content)
    with pytest.raises(UserError, match=says):
        refused(home, tmp_path, "bert", "--add_words", str(tmp_path / "words.txt"))


def test_what_takes_no_words_is_one_sentence(home, tmp_path):
    with pytest.raises(UserError, match="add_words is for a checkpoint"):
        refused(home, tmp_path, None, "--add_words", "auto")
    with pytest.raises(UserError, match=r"nowhere\.txt"):
        refused(home, tmp_path, "bert", "--add_words", "nowhere.txt")
    with pytest.raises(UserError, match="lora_rank would leave"):
        refused(home, tmp_path, "bert", "--add_words", "auto", "--lora_rank", "2")
    with pytest.raises(UserError, match="max_added_words is 0"):
        refused(home, tmp_path, "bert", "--add_words", "auto", "--max_added_words", "0")
    with pytest.raises(UserError, match="add_words auto: no word of several tokens stands 10 times"):
        refused(home, tmp_path, "bert", "--add_words", "auto", "--max_train_documents", "9")
    unigram = tokenizer.train(TEXTS, "unigram", vocab_size=300, model_max_length=64)
    with pytest.raises(UserError, match="this one is Unigram: leave it out"):
        own_words.own_words.kind_of(unigram)

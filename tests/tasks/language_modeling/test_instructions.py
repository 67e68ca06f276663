"""Prompts with answers: how they are known and written, which tokens are learned, and that the loss is that of TRL's
SFTTrainer and of stock's model, row by row."""

import copy
import json
import random

import pytest
import torch
from oracles import tiny_stock, twin
from transformers import GPT2LMHeadModel

import hf_xfmr
from hf_xfmr import tokenizer
from hf_xfmr.errors import UserError
from hf_xfmr.tasks.language_modeling.data import LanguageModelingSettings, language_modeling
from hf_xfmr.tasks.language_modeling.metrics import evaluate_answers
from hf_xfmr.tasks.language_modeling.pack import LanguageModelingCollator

ASKED = [{"role": "user", "content": "say a"}]
TALK = [*ASKED, {"role": "assistant", "content": "a b"}]
LONGER = [{"role": "system", "content": "be kind"}, *TALK, {"role": "user", "content": "again"}, TALK[-1]]
SHARED = [{"from": "human", "value": "say a"}, {"from": "gpt", "value": "a b"}]
HEAD, BODY = "### Instruction:\nsay a\n\n### Response:\n", "a b<|endoftext|>"


@pytest.fixture
def words(trained):
    """A tokenizer of its own for each test: a corpus gives it a chat template."""
    return copy.deepcopy(trained)


@pytest.fixture(scope="module")
def trained():
    texts = ["say a b again be kind ### System: Instruction: Response: red green blue 指令：回答：系统说一个数"]
    return tokenizer.train(texts, "bpe", vocab_size=400, model_max_length=128)


def written(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def corpus_of(tmp_path, rows, own, *, positions=128, **settings):
    settings = LanguageModelingSettings(**{"validation_fraction": 0.0, **settings})
    return language_modeling(written(tmp_path / "rows.jsonl", rows), own, settings, max_positions=positions)


def learned(corpus) -> list[tuple[str, str]]:
    """Of each conversation all that is read, and what is learned."""
    own = corpus.tokenizer
    return [(own.decode(one.ids), own.decode(one.ids[one.learned])) for one in corpus.examples("train")]


KNOWN = {
    "prompt and completion": ({"prompt": "say a", "completion": "a b"}, HEAD + BODY, BODY),
    "Alpaca": (
        {"instruction": "say", "input": "a", "output": "a b"},
        f"### Instruction:\nsay\n\na\n\n### Response:\n{BODY}",
        BODY,
    ),
    "Alpaca without input": ({"instruction": "say a", "input": "", "output": "a b"}, HEAD + BODY, BODY),
    "system": (
        {"system": "be kind", "question": "say a", "answer": "a b"},
        f"### System:\nbe kind\n\n{HEAD}{BODY}",
        BODY,
    ),
    "messages": ({"messages": TALK}, HEAD + BODY, BODY),
    "turns": (
        {"messages": LONGER},
        f"### System:\nbe kind\n\n{HEAD}{BODY}\n\n### Instruction:\nagain\n\n### Response:\n{BODY}",
        BODY + BODY,
    ),
    "a question that nobody answers": ({"messages": [*TALK, {"role": "user", "content": "b"}]}, HEAD + BODY, BODY),
    "ShareGPT": ({"conversations": SHARED}, HEAD + BODY, BODY),
    "TRL's conversational prompt": ({"prompt": ASKED, "completion": TALK[1:]}, HEAD + BODY, BODY),
    "Chinese": (
        {"指令": "说一个数", "输出": "一个"},
        "### 指令：\n说一个数\n\n### 回答：\n一个<|endoftext|>",
        "一个<|endoftext|>",
    ),
}


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("streaming", [False, True])
def test_what_is_learned_of_each_layout(tmp_path, words, name, streaming):
    row, read, answers = KNOWN[name]
    corpus = corpus_of(tmp_path, [row] * 3, words, positions=999, streaming=streaming)
    assert learned(corpus) == [(read, answers)] * 3
    assert sum(line.startswith("conversations: ") for line in corpus.report) == 1
    (block,) = list(corpus.splits["train"])
    batch = LanguageModelingCollator(words)([block])
    kept = batch["labels"][0] != -100
    assert words.decode(batch["labels"][0][kept]) == answers * 3
    assert (batch["position_ids"][0] == 0).sum() == 3
    assert words.chat_template == corpus.template.source


def test_a_flag_names_columns_and_a_template_of_a_file(tmp_path, words):
    row = {"text": "no", "ask": "say a", "tell": 3}
    file = tmp_path / "own.jinja"
    file.write_text("{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}"
                    "{% if add_generation_prompt %}<assistant>{% endif %}")  # fmt: skip
    flags = {"prompt_column": "ask", "completion_column": "tell"}
    corpus = corpus_of(tmp_path, [row], words, **flags, template=str(file))
    assert learned(corpus) == [("<user>say a<|endoftext|><assistant>3<|endoftext|>", "3<|endoftext|>")]
    assert learned(corpus_of(tmp_path, [row], words, **flags, template="plain")) == [
        ("say a3<|endoftext|>", "3<|endoftext|>")
    ]
    words.chat_template = file.read_text()  # a tokenizer's own comes before ours
    assert learned(corpus_of(tmp_path, [row], words, **flags))[0][0].startswith("<user>")


def rows_of_all_lengths(count: int) -> list[dict]:
    draw = random.Random(0)
    colours = ["red", "green", "blue"]
    return [
        {"prompt": "say " + draw.choice("abc") * draw.randint(1, 9),
         "completion": " ".join(draw.choices(colours, k=draw.randint(1, 6)))}
        for _ in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def pair(trained):
    """A stock GPT-2, and ours with its weights."""
    sizes = {"vocab_size": len(trained), "n_positions": 128, "eos_token_id": trained.eos_token_id}
    stock = tiny_stock(GPT2LMHeadModel, **sizes).eval()
    return stock, twin(hf_xfmr.XfmrGPT2ForCausalLM, stock).eval()


def test_loss_and_gradients_of_packed_answers_are_those_of_stock_row_by_row(tmp_path, words, pair):
    stock, ours = pair
    corpus = corpus_of(tmp_path, rows_of_all_lengths(40), words)
    blocks = list(corpus.splits["train"])
    assert len(blocks) < 20
    batch = LanguageModelingCollator(words)(blocks)
    loss = ours(**batch).loss
    loss.backward()
    sums, count = torch.zeros(()), 0
    for one in corpus.examples("train"):
        ids, mask = torch.from_numpy(one.ids).long(), torch.from_numpy(one.learned)
        logits = stock(ids[None]).logits[0, :-1]
        sums = sums + torch.nn.functional.cross_entropy(logits[mask[1:]], ids[1:][mask[1:]], reduction="sum")
        count += int(mask[1:].sum())
    (sums / count).backward()
    assert loss.item() == pytest.approx(float(sums / count), abs=1e-5)
    theirs = stock.transformer.wte.weight.grad
    assert torch.allclose(ours.transformer.word.weight.grad, theirs, atol=1e-5)
    figures, _ = evaluate_answers(ours, corpus.examples("train"), window=128, batch_size=7)
    assert (figures["loss"], figures["tokens"]) == (pytest.approx(loss.item(), abs=1e-5), count)


@pytest.mark.parametrize("kind", ["completion_only_loss", "assistant_only_loss"])
def test_the_loss_is_that_of_trl_s_trainer(tmp_path, words, pair, kind):
    trl = pytest.importorskip("trl")
    from datasets import Dataset

    rows = rows_of_all_lengths(40)
    corpus = corpus_of(tmp_path, rows, words)  # and the template is the tokenizer's from here on
    if kind == "completion_only_loss":
        given = [{"prompt": [{"role": "user", "content": row["prompt"]}],
                  "completion": [{"role": "assistant", "content": row["completion"]}]} for row in rows]  # fmt: skip
    else:
        roles = {"prompt": "user", "completion": "assistant"}
        given = [
            {"messages": [{"role": roles[name], "content": row[name]} for row in both for name in roles]}
            for both in zip(rows[::2], rows[1::2], strict=True)
        ]
        corpus = corpus_of(tmp_path, given, words)
    args = trl.SFTConfig(
        str(tmp_path / "trl"), use_cpu=True, bf16=False, report_to="none", disable_tqdm=True, max_length=128,
        per_device_eval_batch_size=40, gradient_checkpointing=False, **{kind: True},
    )  # fmt: skip
    data = Dataset.from_list(given)
    theirs = trl.SFTTrainer(pair[0], args=args, train_dataset=data, eval_dataset=data, processing_class=words)
    figures, _ = evaluate_answers(pair[1], corpus.examples("train"), window=128)
    assert figures["loss"] == pytest.approx(theirs.evaluate()["eval_loss"], abs=1e-5)


def test_a_conversation_that_is_too_long_is_never_cut_unsaid(tmp_path, words):
    rows = [*rows_of_all_lengths(3), {"prompt": "say " * 40 + "a", "completion": "a b"}]
    with pytest.raises(UserError, match=r'conversation 3 \(counted from 0, "say .* --over_long leave_out.* cut_prompt'):
        corpus_of(tmp_path, rows, words, positions=60)
    corpus = corpus_of(tmp_path, rows, words, positions=60, over_long="leave_out")
    assert "train: 1 conversation of more than 60 tokens left out (over_long)" in corpus.report
    assert len(learned(corpus)) == 3
    corpus = corpus_of(tmp_path, rows, words, positions=60, over_long="cut_prompt")
    assert "train: the beginning of 1 conversation cut, down to 60 tokens (over_long)" in corpus.report
    *_, (read, answer) = learned(corpus)
    assert read.endswith(f"say a\n\n### Response:\n{BODY}")
    assert answer == BODY
    rows[3] = {"prompt": "say a", "completion": "red " * 80}
    with pytest.raises(UserError, match="no prompt would be left"):
        corpus_of(tmp_path, rows, words, positions=60, over_long="cut_prompt")


PAIR = {"prompt": "a", "completion": "b"}
REFUSED = {
    "two kinds": (PAIR, {"prompt_column": "prompt", "text_column": "prompt"}, "plain texts"),
    "two answers": ({"prompt": "a", "output": "b", "answer": "c"}, {}, "--completion_column output"),
    "no counterpart": ({"ask": "a", "tell": "b"}, {"prompt_column": "ask"}, "--completion_column tell"),
    "one for both": (PAIR, {"prompt_column": "prompt", "completion_column": "prompt"}, "learn to repeat it"),
    "no column": ({"ask": "a"}, {"prompt_column": "asks"}, 'prompt_column names "asks"'),
    "no messages": ({"ask": "a"}, {"messages_column": "ask"}, "no lists of messages"),
    "no answer": ({"prompt": "a", "completion": " "}, {}, "has a prompt and an answer"),
    "no prompt": ({"prompt": None, "completion": "a"}, {"prompt_column": "prompt"}, "has a prompt and an answer"),
    "parts": (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        {},
        r"row 0 \(counted from 0\): a message of column \"messages\"",
    ),
    "a role": ({"messages": [{"role": "tool", "content": "x"}, TALK[1]]}, {}, "a role is tool"),
    "concatenate": (PAIR, {"packing": "concatenate"}, "packing is concatenate"),
    "no template": (PAIR, {"template": "chatml"}, "it can be instruction, chinese, plain"),
    "numbers": ({"prompt": 1, "completion": 2}, {}, "--prompt_column prompt --completion_column completion"),
    "a number": ({"question": "a", "answer": 2}, {}, '"question", "answer" are called .* but "answer" holds numbers'),
    "for texts": ({"text": "a"}, {"template": "plain"}, '"template": for prompts with answers'),
    "over_long": (PAIR, {"over_long": "head"}, "error, leave_out, cut_prompt"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_t_be_is_one_sentence(tmp_path, words, name):
    row, settings, says = REFUSED[name]
    with pytest.raises(UserError, match=says):
        corpus_of(tmp_path, [row] * 2, words, **settings)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{% for m in messages %}", "can't be read as Jinja: line 1"),
        ("hello", "says nothing of `messages`"),
        ("{{ messages.nothing.there }}", "refuses the conversation"),
        ("{{ messages | length }}", "once it has been answered"),
        ("{% for m in messages %}{% generation %}{% endgeneration %}{{ m.content }}{% endfor %}", "writes nothing"),
        ("{% for m in messages %}{{ m.role }} {% endfor %}", "writes nothing of what is asked"),
        ("{% for m in messages %}{{ m.content if m.role == 'user' else 'b' }}{% endfor %}", "of what is answered: put"),
        (
            "{% for m in messages %}{{ m.content }}{% generation %}b{% endgeneration %}{% endfor %}",
            "of what is answered where it is learned",
        ),
    ],
)
def test_a_template_that_is_none_is_one_sentence(tmp_path, words, source, says):
    (tmp_path / "own.jinja").write_text(source)
    with pytest.raises(UserError, match=says):
        corpus_of(tmp_path, [{"prompt": "a", "completion": "b"}], words, template=str(tmp_path / "own.jinja"))


def test_no_split_asks_what_another_has_answered(tmp_path, words):
    rows = [{"prompt": f"say {n // 4}", "completion": f"{n}"} for n in range(200)]
    corpus = corpus_of(tmp_path, rows, words, validation_fraction=0.3)
    asked = {split: {one.prompt for one in corpus.documents[split]} for split in ("train", "validation")}
    assert min(map(len, asked.values())) > 5
    assert not asked["train"] & asked["validation"]

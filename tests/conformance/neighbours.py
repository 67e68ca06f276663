"""The libraries beside transformers whose own tests run on stock's classes and on ours, and its Trainer's tests.

Each says where its tests come from, which of its files touch BERT, GPT-2 or Marian, and which models they ask the Hub
for: tiny random ones of the same names are made here. Tests whose model or data nobody has here fail on both sides.
"""

import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import datasets
import sources
import transformers
from hub import BERT, GPT2, Make, lay_out, stock

from hf_xfmr import samples
from hf_xfmr.samples.package import Package

PEFT = Package("peft", "0.21.2", "sdist", 983_614, "b803ccfb3f3f316004d850284306687833a2235ea278fb56abc856203456142e")


@dataclass(frozen=True)
class Neighbour:
    """A library, or a part of one, and what its tests need."""

    package: str  # on the package index, and the name to run it by
    find: Callable[[], Path]  # fetches a folder that holds tests/
    files: tuple[str, ...]  # below tests/: pytest's arguments
    models: dict[str, Make] = field(default_factory=dict)  # names on the Hub -> what makes them
    choice: str = ""  # pytest's -k
    data: Callable[[Path, Path], None] | None = None  # of the tests' folder: makes data sets, by name, in another
    beside: tuple[str, ...] = ()  # what else of the folder the tests read


def prepare(neighbour: Neighbour, folder: str, scratch: Path) -> tuple[Path, str]:
    """Lay out tests, models and data in `scratch`; the folder to run in, and what version the tests are of.

    The tests alone are copied, so that the installed library is what they import.
    """
    source = Path(folder) if folder else neighbour.find()
    where = scratch / "run"
    for name in ("tests", *neighbour.beside):
        shutil.copytree(source / name, where / name)
    (where / "tests" / "__init__.py").touch()
    datasets.disable_progress_bars()
    lay_out(scratch / "hub", neighbour.models)
    (scratch / "data").mkdir()
    if neighbour.data is not None:
        neighbour.data(source, scratch / "data")
    return where, sources.version_of(source) if folder else ""


# sentence-transformers: BERT as it embeds, scores pairs, and spreads over the vocabulary. Some tests are about the
# words of bert-base-uncased, which MiniLM has too.

TINY = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512}
TINY_BERT = {**TINY, "max_position_embeddings": 512, "vocab_size": 30522}


def _uncased(folder: Path) -> None:
    words = transformers.AutoTokenizer.from_pretrained(samples.checkpoint("sample:minilm"))
    words.model_max_length = 512
    words.save_pretrained(folder)


def _embedding(folder: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    stock("BertModel", TINY_BERT, _uncased)(folder / "bert")
    words = Transformer(str(folder / "bert"))
    SentenceTransformer(modules=[words, Pooling(words.get_embedding_dimension())]).save_pretrained(str(folder))
    shutil.rmtree(folder / "bert")


def _spread(folder: Path) -> None:
    from sentence_transformers import SparseEncoder

    stock("BertForMaskedLM", TINY_BERT, _uncased)(folder / "bert")
    SparseEncoder(str(folder / "bert")).save_pretrained(str(folder))
    shutil.rmtree(folder / "bert")


def _similar(_: Path, folder: Path) -> None:
    """Pairs of sentences with a score, for those that are trained on and evaluated with."""
    subjects, acts = ("a man", "a woman", "the dog", "two girls"), ("is running", "plays a flute", "sleeps", "eats")
    texts = [f"{subject} {act}." for subject in subjects for act in acts]
    rows = [
        {"sentence1": one, "sentence2": other, "score": (one.split()[1] == other.split()[1]) / 2 + (one == other) / 2}
        for one in texts
        for other in texts
    ]
    pairs = datasets.Dataset.from_list(rows * 8)
    datasets.DatasetDict(dict.fromkeys(("train", "validation", "test"), pairs)).save_to_disk(
        folder / "sentence-transformers--stsb" / "default"
    )


# TRL asks for Qwen2 nearly everywhere, of which it wants a model that goes on with a text and a template of chats:
# under those names it is given GPT-2.

CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TINY_GPT2 = {"n_embd": 8, "n_layer": 2, "n_head": 4, "n_positions": 512}


def _chats(folder: Path) -> None:
    from hf_xfmr import tokenizer

    lines = ["Beautiful is better than ugly.", "Simple is better than complex.", "Readability counts."]
    words = tokenizer.train(lines, "bpe", model_max_length=512, vocab_size=400)
    words.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "pad_token": "<|pad|>"})
    words.eos_token, words.chat_template = "<|im_end|>", CHAT
    words.save_pretrained(folder)


def _talks(class_name: str, **sizes) -> Make:
    def make(folder: Path) -> None:
        _chats(folder)
        words = transformers.AutoTokenizer.from_pretrained(folder)
        special = {"vocab_size": len(words), "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
        special["bos_token_id"] = words.eos_token_id
        stock(class_name, {**TINY_GPT2, **special, **sizes}, _chats)(folder)

    return make


def _zen(source: Path, folder: Path) -> None:
    """The data set `trl-internal-testing/zen`, made by the script of TRL's that makes the one on the Hub."""
    path = source / "scripts" / "generate_zen_dataset.py"
    spec = importlib.util.spec_from_file_location("generate_zen_dataset", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    def keep(self, name, config_name):
        self.save_to_disk(folder / name.replace("/", "--") / config_name)

    with (
        mock.patch.object(datasets.Dataset, "push_to_hub", keep),
        mock.patch.object(datasets.DatasetDict, "push_to_hub", keep),
    ):
        script.main(test_size=0.1, push_to_hub=True, repo_id="trl-internal-testing/zen")


INTERNAL = "trl-internal-testing"
NEIGHBOURS = {
    "peft": Neighbour(
        package="peft",
        find=lambda: sources.of_sdist(PEFT),
        files=(
            "test_decoder_models.py",
            "test_feature_extraction_models.py",
            "test_seq_classifier.py",
            "test_token_classification_qa.py",
        ),
        choice="(GPT2 or gpt2 or BertModel or BertForSeq) and not Distil",  # of the models they are parametrized with
        models={
            "peft-internal-testing/tiny-random-GPT2LMHeadModel": stock("GPT2LMHeadModel", GPT2),
            "hf-internal-testing/tiny-random-gpt2": stock("GPT2LMHeadModel", GPT2),
            "peft-internal-testing/tiny-random-gpt2": stock("GPT2LMHeadModel", GPT2),
            "peft-internal-testing/tiny-random-BertModel": stock("BertModel", BERT),
            "hf-internal-testing/tiny-random-BertModel": stock("BertModel", BERT),
            "peft-internal-testing/tiny-random-BertForSequenceClassification": stock(
                "BertForSequenceClassification", BERT
            ),
        },
    ),
    "trainer": Neighbour(
        package="transformers",
        find=lambda: sources.of_git("transformers", "huggingface/transformers", ["tests/trainer", "tests/fixtures"]),
        files=(
            *(f"trainer/test_trainer{part}.py" for part in ("", "_callback", "_checkpointing", "_data", "_evaluation")),
            *(f"trainer/test_trainer_{part}.py" for part in ("accelerator", "hyperparameter", "optimizers", "seq2seq")),
        ),
        models={
            "prajjwal1/bert-tiny": stock("BertForSequenceClassification", TINY_BERT, _uncased),
            "google-bert/bert-base-uncased": stock("BertForSequenceClassification", TINY_BERT, _uncased),
            "bert-base-uncased": stock("BertForSequenceClassification", TINY_BERT, _uncased),
            "bert-base-cased": stock("BertForSequenceClassification", TINY_BERT, _uncased),
            "openai-community/gpt2": stock("GPT2LMHeadModel", GPT2),
            "hf-internal-testing/tiny-random-LlamaForCausalLM": stock("GPT2LMHeadModel", GPT2),
        },
    ),
    "sentence-transformers": Neighbour(
        package="sentence-transformers",
        find=lambda: sources.of_git("sentence-transformers", "huggingface/sentence-transformers", ["tests"]),
        files=("base", "sentence_transformer", "cross_encoder", "sparse_encoder", "multi_vector_encoder"),
        models={
            "sentence-transformers-testing/stsb-bert-tiny-safetensors": _embedding,
            "cross-encoder-testing/reranker-bert-tiny-gooaq-bce": stock(
                "BertForSequenceClassification", {**TINY_BERT, "num_labels": 1}, _uncased
            ),
            "sparse-encoder-testing/splade-bert-tiny-nq": _spread,
            "google-bert/bert-base-uncased": stock("BertForMaskedLM", TINY_BERT, _uncased),
            "hf-internal-testing/tiny-random-bert": stock("BertModel", TINY_BERT, _uncased),
        },
        data=_similar,
        choice="not openvino and not test_pretrained and not opensearch",
    ),
    "trl": Neighbour(
        package="trl",
        find=lambda: sources.of_git("trl", "huggingface/trl", ["tests", "scripts"]),
        files=(
            *(
                f"test_{one}.py"
                for one in ("sft_trainer", "dpo_trainer", "kto_trainer", "reward_trainer", "rloo_trainer")
            ),
            *(
                f"test_{one}.py"
                for one in ("grpo_trainer", "callbacks", "model_utils", "utils", "activation_offloading")
            ),
            *(
                f"experimental/test_{one}_trainer.py"
                for one in ("bco", "cpo", "orpo", "ppo", "gkd", "prm", "online_dpo")
            ),
            "experimental/test_modeling_value_head.py",
        ),
        models={
            f"{INTERNAL}/tiny-GPT2LMHeadModel": _talks("GPT2LMHeadModel"),
            f"{INTERNAL}/tiny-Qwen2ForCausalLM-2.5": _talks("GPT2LMHeadModel"),
            f"{INTERNAL}/small-Qwen2ForCausalLM-2.5": _talks("GPT2LMHeadModel", n_embd=16),
            f"{INTERNAL}/tiny-Qwen2ForSequenceClassification-2.5": _talks(
                "GPT2ForSequenceClassification", num_labels=1
            ),
        },
        data=_zen,
        beside=("scripts",),
        choice="not vlm and not vision and not vllm",
    ),
}

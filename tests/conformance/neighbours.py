"""PEFT's own tests that touch BERT and GPT-2, of the version that is installed, on stock's classes and on ours.

The sdist carries the tests but not the models, which they name on the Hub: tiny random ones of the same names are made
here, in a hub cache of their own. Nothing reaches a network once the sdist is cached.
"""

import io
import shutil
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

import huggingface_hub
import torch
import transformers

from hf_xfmr import tokenizer
from hf_xfmr.samples.package import Package, fetch

PEFT = Package("peft", "0.21.2", "sdist", 983_614, "b803ccfb3f3f316004d850284306687833a2235ea278fb56abc856203456142e")
FILES = (
    "test_decoder_models.py",
    "test_feature_extraction_models.py",
    "test_seq_classifier.py",
    "test_token_classification_qa.py",
)
CHOICE = "(GPT2 or gpt2 or BertModel or BertForSeq) and not Distil"  # of the models they are parametrized with
SIZES = {"hidden_size": 32, "num_hidden_layers": 5, "num_attention_heads": 4, "max_position_embeddings": 512}
BERT = {**SIZES, "intermediate_size": 37, "vocab_size": 1124}
GPT2 = {"n_embd": 32, "n_layer": 5, "n_head": 4, "n_positions": 512, "vocab_size": 1000}
MODELS = {  # names on the Hub -> stock's class and sizes
    "peft-internal-testing/tiny-random-GPT2LMHeadModel": ("GPT2LMHeadModel", GPT2),
    "hf-internal-testing/tiny-random-gpt2": ("GPT2LMHeadModel", GPT2),
    "peft-internal-testing/tiny-random-gpt2": ("GPT2LMHeadModel", GPT2),
    "peft-internal-testing/tiny-random-BertModel": ("BertModel", BERT),
    "hf-internal-testing/tiny-random-BertModel": ("BertModel", BERT),
    "peft-internal-testing/tiny-random-BertForSequenceClassification": ("BertForSequenceClassification", BERT),
}
TEXTS = ["This is a great test.", "The film was long, and the rain had no end.", "Hello, my dog is cute."]


def sources(folder: str = "") -> Path:
    """The package of PEFT's tests: made of a folder of PEFT's sources, if one is named, else fetched the first time."""
    if folder:
        package = Path(tempfile.mkdtemp(), "peft_tests")
        shutil.copytree(Path(folder, "tests"), package)
        (package / "__init__.py").touch()
        return package
    assert version("peft") == PEFT.version, f"pin the sdist of peft {version('peft')}"
    cache = Path(huggingface_hub.constants.HF_HOME, "hf_xfmr", f"{PEFT.name}-{PEFT.version}-{PEFT.sha256[:8]}")
    if not cache.is_dir():
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent, ignore_cleanup_errors=True) as aside:
            archive = fetch(PEFT, Path(aside), wanted="PEFT's tests")
            new = Path(aside, "new", "peft_tests")
            new.mkdir(parents=True)
            (new / "__init__.py").touch()
            with tarfile.open(fileobj=io.BytesIO(archive)) as members:
                for member in members:
                    path = Path(member.name)
                    if path.match("peft-*/tests/*.py"):
                        (new / path.name).write_bytes(members.extractfile(member).read())
            new.parent.rename(cache)
    return cache / "peft_tests"


def make_hub(cache: Path) -> None:
    """Lay out in `cache` what downloading each of MODELS would leave there."""
    for name, (class_name, sizes) in MODELS.items():
        home = cache / f"models--{name.replace('/', '--')}"
        snapshot = home / "snapshots" / "0"
        snapshot.mkdir(parents=True)
        (home / "refs").mkdir()
        (home / "refs" / "main").write_text("0")
        stock = getattr(transformers, class_name)
        kind = "bpe" if "GPT2" in class_name else "wordpiece"
        words = tokenizer.train(TEXTS, kind, model_max_length=512, vocab_size=300)
        torch.manual_seed(0)
        special = {"bos_token_id": 98, "eos_token_id": 98} if kind == "bpe" else {}
        stock(stock.config_class(**sizes, **special)).save_pretrained(snapshot)
        words.save_pretrained(snapshot)

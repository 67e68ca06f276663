"""transformers' own common test suite, of the version that is installed: fetched, cached, and made importable.

The sdist carries `tests/test_*.py` and none of the folders below `tests/`. What its files import from there is made
here: mixins without tests (generation, exporters), common config values, and the pipelines' checks with tiny models
and tokenizers trained on the spot.
"""

import importlib
import io
import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path
from types import ModuleType

import huggingface_hub
import transformers

from hf_xfmr import tokenizer
from hf_xfmr.samples.package import Package, fetch

SDIST = Package(
    "transformers", "5.23.0", "sdist", 10_614_788, "19d647a4d5d903a7c644ca5cde2d86efc3dde7d8c687ae7988806ff2205efa71"
)


def folder() -> Path:
    """The suite's files in the Hugging Face cache, fetched the first time."""
    assert transformers.__version__ == SDIST.version, f"pin the sdist of transformers {transformers.__version__}"
    cache = Path(huggingface_hub.constants.HF_HOME, "hf_xfmr", f"suite-{SDIST.version}-{SDIST.sha256[:8]}")
    if not cache.is_dir():
        cache.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache.parent, ignore_cleanup_errors=True) as aside:
            archive = fetch(SDIST, Path(aside), wanted="transformers' test suite")
            new = Path(aside, "new")
            new.mkdir()
            with tarfile.open(fileobj=io.BytesIO(archive)) as members:
                for member in members:
                    path = Path(member.name)
                    if path.match("transformers-*/tests/test_*.py"):
                        (new / path.name).write_bytes(members.extractfile(member).read())
            new.rename(cache)
    return cache


def install(scratch: Path) -> None:
    """Make the suite importable as the package `tests`, its tiny models in `scratch`."""
    os.environ["TRANSFORMERS_TINY_MODEL_PATH"] = str(scratch)  # where PipelineTesterMixin looks for models
    (scratch / "reports").mkdir(parents=True)
    (scratch / "reports" / "tiny_model_summary.json").write_text("{}")
    # It imports transformers anew from a source folder, for its names alone.
    transformers.utils.direct_transformers_import = lambda *_, **__: transformers
    package = _module("tests")
    package.__path__ = [str(folder())]
    _module("tests.exporters.test_export", ExportTesterMixin=type("ExportTesterMixin", (), {}))
    _module("tests.generation.test_utils", GenerationTesterMixin=type("GenerationTesterMixin", (), {}))
    _module("tests.utils.test_configuration_utils", config_common_kwargs=CONFIG_VALUES)
    mixin = importlib.import_module("tests.test_pipeline_mixin")
    for task, entry in mixin.pipeline_test_mapping.items():
        module, name = entry["test"].rsplit(".", 1)
        _module(module, **{name: type(name, (PipelineChecks,), {"task": task})})


CONFIG_VALUES = {
    "return_dict": False,
    "output_hidden_states": True,
    "dtype": "float16",
    "chunk_size_feed_forward": 5,
    "architectures": ["BertModel"],
    "id2label": {0: "label"},
    "label2id": {"label": "0"},
    "problem_type": "regression",
}


def _module(name: str, **content) -> ModuleType:
    parent, _, child = name.rpartition(".")
    if parent and parent not in sys.modules:
        _module(parent).__path__ = []
    module = sys.modules.setdefault(name, ModuleType(name))
    vars(module).update(content)
    if parent:
        setattr(sys.modules[parent], child, module)
    return module


TEXTS = ["This is a great test.", "The film was long, and the rain had no end.", "HuggingFace is in New York."]


def save_tiny(scratch: Path, model_class: type, config, kind: str) -> None:
    """A model with a tokenizer of its own, and its line in the summary that PipelineTesterMixin reads."""
    words = tokenizer.train(TEXTS, kind, model_max_length=config.max_position_embeddings, vocab_size=300)
    config.vocab_size, config.pad_token_id = len(words), words.pad_token_id
    if getattr(config, "decoder_vocab_size", None):
        config.decoder_vocab_size = len(words)
    home = scratch / config.model_type / f"tiny-random-{model_class.__name__}"
    model_class(config).save_pretrained(home)
    words.save_pretrained(home)
    home.rename(home.with_name(model_class.__name__))
    entry = {"tokenizer_classes": ["PreTrainedTokenizerFast"], "processor_classes": []}
    sys.modules["tests.test_pipeline_mixin"].tiny_model_summary[model_class.__name__] = json.loads(json.dumps(entry))


PIPELINES = {"zero-shot": "zero-shot-classification"}  # task -> pipeline, where the names differ


class PipelineChecks:
    """What a pipeline returns has its task's form, and does not depend on the batch size."""

    task: str

    def get_test_pipeline(
        self, model, tokenizer, image_processor=None, feature_extractor=None, processor=None, dtype="float32"
    ):
        options = {"candidate_labels": ["politics", "film"]} if self.task == "zero-shot" else {}
        name = PIPELINES.get(self.task, self.task)
        pipe = transformers.pipeline(name, model=model, tokenizer=tokenizer, dtype=dtype, **options)
        if self.task != "text-generation":
            tokenizer.padding_side = "right"  # on the left it moves GPT-2's positions, in stock as in ours
        mask = f" {tokenizer.mask_token}" if self.task == "fill-mask" else ""
        return pipe, [text + mask for text in TEXTS[:2]]

    def run_pipeline_test(self, pipe, examples):
        options = {}
        if self.task == "text-generation":
            options = {"max_new_tokens": 3, "do_sample": False}
        alone = [pipe(text, **options) for text in examples]
        together = pipe(examples, batch_size=2, **options)
        assert len(alone) == len(together) == len(examples)
        getattr(self, f"check_{self.task.split('-')[0]}_{self.task.split('-')[1]}")(pipe, alone)
        if pipe.model.dtype.itemsize > 2 and self.task != "token-classification":  # stock's GPT-2 differs there, too
            _close(alone, together)

    def check_feature_extraction(self, pipe, outputs):
        assert all(len(output[0][0]) == pipe.model.config.hidden_size for output in outputs)

    def check_fill_mask(self, pipe, outputs):
        assert all({"score", "token", "token_str", "sequence"} == set(guess) for output in outputs for guess in output)

    def check_text_classification(self, pipe, outputs):
        assert all({"label", "score"} == set(_only(output)) for output in outputs)

    def check_text_generation(self, pipe, outputs):
        assert all(isinstance(output[0]["generated_text"], str) for output in outputs)

    def check_token_classification(self, pipe, outputs):
        assert all({"entity", "score", "word", "start", "end"} <= set(token) for output in outputs for token in output)

    def check_zero_shot(self, pipe, outputs):
        assert all(abs(sum(output["scores"]) - 1) < 1e-3 for output in outputs)


def _only(output):
    return output[0] if isinstance(output, list) else output


def _close(a, b):
    if isinstance(a, dict):
        assert set(a) == set(b)
        for key in a:
            _close(a[key], b[key])
    elif isinstance(a, list):
        b = b if isinstance(b, list) or len(a) > 1 else [b]
        for x, y in zip(a, b, strict=False):  # in a batch a short text's features go on over the padding
            _close(x, y)
    elif isinstance(a, float):
        assert abs(a - b) < 1e-4
    else:
        assert a == b

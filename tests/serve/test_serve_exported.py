"""Exported folders behind an address, where torch and transformers can not be imported; and what a container has."""

import re
import shutil

import pytest
from places import ROOT
from serving import in_thread, process
from small_checkpoints import make

from hf_xfmr.export import export
from hf_xfmr.predict import load

pytest.importorskip("onnxruntime")
ABSENT = (
    "torch",
    "transformers",
    "datasets",
    "pyarrow",
    "pandas",
    "sklearn",
    "scipy",
    "matplotlib",
    "accelerate",
    "peft",
)
OWN = {"hf_xfmr", "__main__"}
BROUGHT = {  # module: the package of the Dockerfile that brings it
    "annotated_doc": "fastapi",
    "annotated_types": "pydantic",
    "anyio": "starlette",
    "click": "uvicorn",
    "flatbuffers": "onnxruntime",
    "google": "onnxruntime",
    "h11": "uvicorn",
    "opentelemetry": "fastapi",
    "pydantic_core": "pydantic",
    "sniffio": "anyio",
    "typing_extensions": "pydantic",
    "typing_inspection": "pydantic",
}


def refusing(test: str) -> str:
    """Python after which a module cannot be imported of whose top name `test` is true."""
    return f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if {test}:
            raise ModuleNotFoundError(name + " is not there")
sys.meta_path.insert(0, Refuse())
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return make(tmp_path_factory.mktemp("models"))


def container_packages() -> set[str]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.search(r"pip install --no-cache-dir -c \S+\s+(.*?)&&", text)
    assert found is not None
    return set(found[1].split())


@pytest.mark.slow
def test_a_container_has_what_serving_an_onnx_folder_imports(models, tmp_path):
    """Nothing but what the Dockerfile's line installs, and Python's own, can be imported here."""
    export(models / "classifier", to="onnx", out=tmp_path / "onnx")
    expected = next(iter(load(str(models / "classifier"))(["good film"])))
    packages = container_packages()
    assert "torch" not in packages
    there = (
        packages | OWN | {module for module, package in BROUGHT.items() if {package, BROUGHT.get(package)} & packages}
    )
    known = f"top not in {sorted(there)} and top not in sys.stdlib_module_names and not top.startswith('_')"
    with process(tmp_path / "onnx", before=refusing(known)) as server:
        server.ready()
        answer = server.ask("/classify", {"inputs": "good film"})[1]
        assert answer["probabilities"] == pytest.approx(expected["probabilities"], abs=2e-5)
        assert server.ask("/predict", {"inputs": "good film", "raw_scores": True})[0] == 200
        info = server.ask("/info")[1]
        assert {"model.onnx", "manifest.json"} <= set(info["hashes"])


def test_a_language_model_streams_from_ctranslate2_without_torch(models, tmp_path):
    pytest.importorskip("ctranslate2")
    out = tmp_path / "ct2"
    export(models / "gpt2", to="ctranslate2", out=out)
    asked = {"prompt": ["good film", "a", "bad film a b"], "max_tokens": 6, "temperature": 0}
    with in_thread(models / "gpt2") as server:
        expected = [one["text"] for one in server.ask("/v1/completions", asked)[1]["choices"]]
        one = expected[0]
    with process(out, before=refusing(f"top in {ABSENT}")) as server:
        server.ready()
        found = server.ask("/v1/completions", asked)[1]
        assert [choice["text"] for choice in found["choices"]] == expected
        streamed = server.ask("/v1/completions", {**asked, "prompt": "good film", "stream": True})[1].decode()
        assert streamed.endswith("data: [DONE]\n\n")
        assert "".join(re.findall(r'"text": "([^"]*)"', streamed)) == one
        stop = one[2:4]
        stopped = server.ask("/v1/completions", {**asked, "prompt": "good film", "stop": stop})[1]["choices"][0]
        assert (stopped["text"], stopped["finish_reason"]) == (one[: one.index(stop)], "stop")
        assert server.ask("/v1/completions", {"prompt": "good", "max_tokens": 6, "n": 2})[0] == 200
        status, said, _ = server.ask("/v1/completions", {"prompt": "good", "max_tokens": 6, "seed": 3})
        assert status == 400
        assert "CTranslate2" in said["error"]["message"]


@pytest.mark.slow
def test_a_damaged_folder_is_one_sentence(models, tmp_path, capfd):
    damaged = tmp_path / "damaged"
    shutil.copytree(models / "classifier", damaged)
    (damaged / "model.safetensors").write_bytes(b"no weights")
    with process(damaged) as server:
        assert server.process is not None
        assert server.process.wait(120) == 2
    assert [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]

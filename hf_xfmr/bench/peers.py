"""Others who run the same model, where they are installed."""

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from ..writing import scratch


class _Logits(nn.Module):
    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model.eval()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def onnxruntime_of(model: nn.Module, example: dict[str, Tensor]) -> Callable[[dict[str, Tensor]], object] | None:
    """A model's logits under ONNX Runtime, float32 on as many threads as torch has, as a function of a batch; None
    where that or the exporter is not installed."""
    if not all(importlib.util.find_spec(name) for name in ("onnxruntime", "onnxscript")):
        return None
    import onnxruntime

    names = ("input_ids", "attention_mask")
    dynamic = {0: Dim("rows", min=1, max=4096), 1: Dim("length", min=2, max=512)}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _Logits(model),
            tuple(example[name] for name in names),
            input_names=list(names),
            dynamo=True,
            dynamic_shapes=(dynamic, dynamic),
            verbose=False,
        )
    assert program is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    graph = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {name: batch[name].numpy() for name in names})


def ctranslate2_of(model: Any, rows: list[list[int]], new_tokens: int) -> Callable[[], object] | None:
    """A GPT-2's greedy continuation of rows of ids under CTranslate2, float32 on as many threads as torch has; None
    where that is not installed."""
    if not importlib.util.find_spec("ctranslate2"):
        return None
    import ctranslate2
    from ctranslate2.converters.transformers import GPT2Loader

    from ..export.ctranslate2 import convert

    loader = GPT2Loader()
    with torch.no_grad():
        spec = loader.get_model_spec(model)
    loader.set_vocabulary(spec, [str(number) for number in range(model.config.vocab_size)])
    spec.config.bos_token = spec.config.eos_token = spec.config.unk_token = "0"

    with scratch("bench-") as folder:
        convert(spec, folder / "model")
        threads = torch.get_num_threads()
        generator = ctranslate2.Generator(
            str(folder / "model"), compute_type="float32", inter_threads=1, intra_threads=threads
        )
    prompts = [[str(number) for number in row] for row in rows]
    lengths = {"max_length": new_tokens, "min_length": new_tokens}
    return lambda: generator.generate_batch(prompts, **lengths, sampling_topk=1, include_prompt_in_result=False)

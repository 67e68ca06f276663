"""README.md of an exported folder: what it is, and an example that runs without hf_xfmr."""

from collections.abc import Mapping
from typing import Any

_ONNX = """import json
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

with open("config.json", encoding="utf-8") as file:
    config = json.load(file)
tokenizer = Tokenizer.from_file("tokenizer.json")
tokenizer.enable_truncation({longest})
session = onnxruntime.InferenceSession("model.onnx")
row = tokenizer.encode({texts})
columns = {{"input_ids": row.ids, "attention_mask": row.attention_mask, "token_type_ids": row.type_ids}}
given = {{one.name: np.array([columns[one.name]]) for one in session.get_inputs()}}
outputs = session.run(None, given)
"""
_LABELS = 'names = [config["id2label"][str(number)] for number in range(outputs[0].shape[-1])]\n'
_SHARES = """logits = outputs[0]
shares = np.exp(logits - logits.max(-1, keepdims=True))
shares /= shares.sum(-1, keepdims=True)
"""
_ENDS = {  # by the Auto class, and for sequence classifiers by the kind of problem
    "single_label_classification": f"{_LABELS}{_SHARES}print(dict(zip(names, shares[0].tolist())))\n",
    "multi_label_classification": f"{_LABELS}shares = 1 / (1 + np.exp(-outputs[0][0]))\n"
    "print(dict(zip(names, shares.tolist())))\n",
    "regression": 'print({"value": float(outputs[0][0, 0])})\n',
    "AutoModelForTokenClassification": f"{_LABELS}{_SHARES}"
    "for token, one in zip(row.tokens, shares[0]):\n    print(token, names[one.argmax()], float(one.max()))\n",
    "AutoModelForMaskedLM": f"{_SHARES}place = row.tokens.index({{mask!r}})\n"
    "for token in np.argsort(-shares[0, place])[:5].tolist():\n"
    "    print(tokenizer.id_to_token(token), float(shares[0, place, token]))\n",
}
_OTHER = "for one, values in zip(session.get_outputs(), outputs):\n    print(one.name, values.shape)\n"
_TEXT = """import ctranslate2
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file("tokenizer.json")
"""
_GENERATE = """generator = ctranslate2.Generator(".")
prompt = tokenizer.encode({texts}, add_special_tokens=False).tokens
found = generator.generate_batch([prompt], max_length={most}, sampling_topk=1)
print(tokenizer.decode(found[0].sequences_ids[0]))
"""
_TRANSLATE = """target = Tokenizer.from_file("{target}tokenizer.json")
translator = ctranslate2.Translator(".")
source = tokenizer.encode({texts}).tokens
found = translator.translate_batch([source], max_input_length=0, max_decoding_length={most})
print(target.decode([target.token_to_id(token) for token in found[0].hypotheses[0]]))
"""
_MARIAN = """import ctranslate2
from transformers import MarianTokenizer

tokenizer = MarianTokenizer.from_pretrained(".")
translator = ctranslate2.Translator(".")
source = tokenizer.convert_ids_to_tokens(tokenizer({texts}).input_ids)
found = translator.translate_batch([source], max_input_length=0, max_decoding_length={most})
print(tokenizer.decode(tokenizer.convert_tokens_to_ids(found[0].hypotheses[0]), skip_special_tokens=True))
"""
_STOCK = """import torch
from transformers import AutoTokenizer, {head}

tokenizer = AutoTokenizer.from_pretrained(".")
model = {head}.from_pretrained(".").eval()
row = tokenizer({texts}, truncation=True, return_tensors="pt")
with torch.no_grad():
    outputs = model(**row)
{end}"""
_PIPELINES = {
    "AutoModelForSequenceClassification": "text-classification",
    "AutoModelForTokenClassification": "token-classification",
    "AutoModelForMaskedLM": "fill-mask",
    "AutoModelForCausalLM": "text-generation",
}
_PIPELINE = """from transformers import pipeline

answer = pipeline("{task}", model="."{options})
print(answer({text}))
"""
_NEEDS = {
    "onnx": "onnxruntime tokenizers numpy",
    "ctranslate2": "ctranslate2 tokenizers",
    "torch": "transformers torch",
}
_NAMES = {"onnx": "ONNX Runtime", "ctranslate2": "CTranslate2", "torch": "transformers"}
_COMMANDS = {
    "AutoModelForMaskedLM": "fill",
    "AutoModelForCausalLM": "generate",
    "AutoModelForSeq2SeqLM": "translate",
    "AutoModelForSequenceClassification": "predict",
    "AutoModelForTokenClassification": "predict",
}


def text(
    title: str, engine: str, head: str, config: Mapping[str, Any], *, longest: int | None, mask: str | None, target: str
) -> str:
    """The page of a folder for an engine. `config` is the model's, `longest` the tokens of a row, `mask` what stands
    for a word to fill in, `target` the folder of a translation's tokenizer, or "marian" where both are one."""
    window = config.get("text_window") or {}
    example = example_of(engine, head, config, longest=longest, mask=mask, target=target)
    lines = [
        f"# {title}",
        "",
        f"A {head.removeprefix('AutoModel') or 'model'} that hf_xfmr wrote for {_NAMES[engine]}. It needs "
        f"`pip install {_NEEDS[engine]}`; `manifest.json` has the hash of each file, the versions, and what it came "
        "from.",
        "",
        "```python",
        *example.rstrip().splitlines(),
        "```",
        "",
        "Run it in this folder."
        + (f" `hf_xfmr {_COMMANDS[head]} FOLDER` answers as it does for the run." if head in _COMMANDS else ""),
    ]
    if temperature := config.get("calibration_folded"):
        lines += ["", f"The probabilities are calibrated: the temperature {temperature:.4g} is in the weights."]
    if thresholds := config.get("decision_thresholds"):
        lines += ["", f"Decide with the thresholds of `config.json` (`decision_thresholds`): {thresholds}."]
    if window.get("over_long") not in (None, "head"):
        lines += [
            "",
            f"The example keeps the first {longest:,} tokens of a longer text; the model was trained with over_long "
            f"{window['over_long']}, as `hf_xfmr predict` reads it.",
        ]
    return "\n".join([*lines, ""])


def example_of(
    engine: str, head: str, config: Mapping[str, Any], *, longest: int | None, mask: str | None, target: str
) -> str:
    """Python that runs in the folder, without hf_xfmr."""
    pair = (config.get("text_window") or {}).get("pair")
    texts = repr("a first text") + (f", {'a second text'!r}" if pair else "")
    if mask and head == "AutoModelForMaskedLM":
        texts = repr(f"a {mask} text")
    kind = config.get("problem_type") or "single_label_classification"
    if engine == "onnx":
        end = _ENDS.get(kind if head == "AutoModelForSequenceClassification" else head, _OTHER)
        return _ONNX.format(longest=longest, texts=texts) + (
            end.format(mask=mask) if head == "AutoModelForMaskedLM" else end
        )
    if engine == "ctranslate2":
        room = (longest or 200) // 2  # positions may be few
        if head == "AutoModelForCausalLM":
            return _TEXT + _GENERATE.format(texts=texts, most=min(20, room))
        if target == "marian":
            return _MARIAN.format(texts=texts, most=min(100, room))
        return _TEXT + _TRANSLATE.format(texts=texts, most=min(100, room), target=f"{target}/" if target else "")
    if head in _PIPELINES:
        first, _, second = texts.partition(", ")
        given = f'{{"text": {first}, "text_pair": {second}}}' if second else texts
        several = ", top_k=None" if head == "AutoModelForSequenceClassification" else ""
        if kind == "regression" and several:
            several += ', function_to_apply="none"'
        return _PIPELINE.format(task=_PIPELINES[head], options=several, text=given)
    end = "print({name: tuple(one.shape) for name, one in outputs.items() if hasattr(one, 'shape')})\n"
    if head == "AutoModelForSeq2SeqLM":
        end = "print(tokenizer.batch_decode(model.generate(**row), skip_special_tokens=True))\n"
    return _STOCK.format(head=head, texts=texts, end=end)

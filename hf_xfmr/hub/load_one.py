"""One load of a pushed repository, in a process of its own that never imported anything of ours; run by loads.py.

    python load_one.py WAY REPOSITORY COMMIT CLASS FILE BASE

FILE holds input ids, and what the local model computes from them. Prints the largest difference from it as JSON. For
every way but "ours" hf_xfmr can't be imported, as if it were not installed. BASE is of an adapter its base model.
"""

import importlib
import json
import sys

way, repository, commit, class_name, reference_file, base = sys.argv[1:]


class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "hf_xfmr":
            raise ModuleNotFoundError("No module named 'hf_xfmr'", name="hf_xfmr")


if way != "ours":
    sys.meta_path.insert(0, NotInstalled())

import torch  # noqa: E402
from safetensors import safe_open  # noqa: E402

with safe_open(reference_file, "pt") as file:
    given = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
    told = file.metadata() or {}
inputs = {name.removeprefix("input."): given.pop(name) for name in list(given) if name.startswith("input.")}

library = importlib.import_module("hf_xfmr" if way == "ours" else "transformers")
options = {"trust_remote_code": True} if way == "remote" else {}
model_class = getattr(library, class_name)
if way == "adapter":
    from peft import PeftModel

    config = library.AutoConfig.from_pretrained(repository, revision=commit)
    model = model_class.from_pretrained(base, config=config, dtype=torch.float32, ignore_mismatched_sizes=True)
    model = PeftModel.from_pretrained(model, repository, revision=commit).eval()
else:
    model = model_class.from_pretrained(repository, revision=commit, dtype=torch.float32, **options).eval()
with torch.inference_mode():
    computed = model(**inputs)
difference = max(float((computed[name] - expected).abs().max()) for name, expected in given.items())

same_ids = None
if "text" in told:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(repository, revision=commit)
    same_ids = tokenizer(told["text"])["input_ids"] == json.loads(told["ids"])
print(json.dumps({"class": type(model).__module__, "difference": difference, "same_ids": same_ids}))

"""What differs between the versions of libraries around us, but for what the models need: that travels with them, in
`models/versions.py`."""

import importlib

from huggingface_hub.errors import HTTPError

# The library that huggingface_hub speaks HTTP with: httpx2, and before its 2.0 httpx, whose errors are alike.
http = importlib.import_module(HTTPError.__module__.partition(".")[0])

# What begins the names of TrainingArguments' settings of it: up to transformers 5, and from then on.
CHECKPOINTING = ("gradient_checkpointing", "activation_checkpointing")

"""Checkpoints of others' training code as folders that every command takes.

A conversion is written only if the folder computes what the other side does: its own code where that can be run and is
asked for, else a forward pass written from its published layout, on the tensors as they lie in the file.
"""

from pathlib import Path

from huggingface_hub import save_torch_state_dict

from ..data.regular import fault_of
from ..errors import UserError
from ..writing import place, whole_folder
from . import folders, google_bert, nanogpt, proof
from .foreign import Foreign, write_config

KNOWN = (
    "a ckpt.pt of nanoGPT's, a TensorFlow checkpoint of google-research's BERT (bert_model.ckpt and bert_config.json), "
    "or a folder for transformers, of which pytorch_model.bin becomes safetensors"
)


def convert(
    source: str | Path,
    out: str | Path,
    *,
    tokenizer: str | None = None,
    activation: str | None = None,
    check: str | Path | None = None,
) -> tuple[Path, list[str]]:
    """Write the checkpoint `source` as the new folder `out`, with stock's config and tensor names.

    Args:
        source: nanoGPT's ckpt.pt or its folder; a TensorFlow checkpoint's prefix, or its folder; a folder that
            transformers wrote.
        out: a folder that is not there yet, or is empty.
        tokenizer: nanoGPT's meta.pkl, a folder, or a name on the Hub; None: what lies beside the checkpoint.
        activation: gelu (by the error function) or gelu_new (by tanh), where the checkpoint can't tell; None: its
            code's own.
        check: nanoGPT's model.py, which is then run, and beside which the result is held.

    Returns the folder, and what is to be said of it. Raises `UserError` for what is none of these, is incomplete or
    holds code, and where the folder would compute anything else; nothing is written then.
    """
    source, out = Path(source), place(out, "OUT")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is there already: remove it, or give another folder")
    foreign = _read(source, tokenizer, activation, check)
    strange = next((name for name, one in foreign.tensors.items() if not bool(one.isfinite().all())), None)
    if strange is not None:
        raise UserError(f"{source} has no finite numbers in {strange}: its training diverged, or the file is damaged")
    with whole_folder(out, instead="give another folder") as made:
        write_config(made, foreign.config)
        save_torch_state_dict(foreign.tensors, made)
        foreign.write_beside(made)
        notes = proof.prove(foreign, made)
    return out, [*foreign.notes, *notes]


def _read(source: Path, tokenizer: str | None, activation: str | None, check: str | Path | None) -> Foreign:
    refused = {"--tokenizer": tokenizer, "--activation": activation, "--check": check}
    if file := nanogpt.file_of(source):
        return nanogpt.read(file, tokenizer=tokenizer, activation=activation, check=check)
    if prefix := google_bert.prefix_of(source):
        _refuse({**refused, "--activation": None}, "a TensorFlow checkpoint")
        return google_bert.read(prefix, activation=activation)
    if folders.is_one(source):
        _refuse(refused, "a folder for transformers")
        return folders.read(source)
    fault = None if source.is_dir() else fault_of(source, "checkpoint")
    raise UserError(fault or f"{source} is no checkpoint that is known here: give {KNOWN}")


def _refuse(flags: dict, what: str) -> None:
    for flag, value in flags.items():
        if value is not None:
            raise UserError(f"{flag} says nothing of {what}, which has its own: leave it out")

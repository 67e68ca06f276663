"""The tables of docs/concepts/padding.md say what the code decides: they are made by its own decision function.

After a change of that, `python tests/models/test_packing_table.py` prints them anew."""

from contextlib import contextmanager
from types import SimpleNamespace
from unittest import mock

import torch
from places import ROOT

from hf_xfmr.models import kernel_checks, packing
from hf_xfmr.models.kernels import Kernel

PAGE = ROOT / "docs" / "concepts" / "padding.md"
HEAD = 64
DEVICES = {  # the device's kind and compute capability, whether it is AMD's, and the precisions there
    "CPU": ("cpu", (0, 0), False, ("float32", "bfloat16")),
    "CUDA, Ampere and later": ("cuda", (8, 0), False, ("float32", "float16", "bfloat16")),
    "CUDA, before Ampere": ("cuda", (7, 5), False, ("float32", "float16", "bfloat16")),
    "ROCm": ("cuda", (9, 4), True, ("float32", "bfloat16")),
    "XPU (Intel)": ("xpu", (0, 0), False, ("float32", "bfloat16")),
    "MPS (Apple)": ("mps", (0, 0), False, ("float32", "float16")),
    "any other": ("xla", (0, 0), False, ("float32",)),
}
MODES = {  # attention, what is asked for, in training, compiled, and the rows as given
    "evaluation, training": {},
    "`output_hidden_states`": {"asked": {"output_hidden_states": True}},
    "`eager`, `output_attentions`": {"implementation": "eager", "asked": {"output_attentions": True}},
    "either of them, under gradient checkpointing": {"asked": {"output_hidden_states": True}, "checkpointing": True},
    "`eager` otherwise": {"implementation": "eager"},
    "`flash_attention_2`, `flex_attention`": {"implementation": "flex_attention"},
    "a mask of four dimensions": {"mask": torch.ones(1, 1, 2, 2)},
    "adapters by the row (PEFT)": {"by_row": True},
    "`torch.compile`, `torch.export`, of a padded batch": {"compiled": True},
}


@contextmanager
def machine(kind: str, capability: tuple[int, int], rocm: bool):
    """The decision as on that device, all of whose kernels pass their checks."""
    kernel_checks._first_that_works.cache_clear()
    with (
        mock.patch.object(torch.cuda, "get_device_capability", return_value=capability),
        mock.patch.object(torch.version, "hip", "7.0" if rocm else None),
        mock.patch.object(kernel_checks, "fault", return_value=None),
    ):
        yield
    kernel_checks._first_that_works.cache_clear()


def decided(
    kind,
    precision,
    *,
    implementation="sdpa",
    asked=None,
    mask=None,
    by_row=False,
    compiled=False,
    dropout=0.0,
    checkpointing=False,
):
    """What a forward pass does: the kernel's name, or "padded"."""
    attention = SimpleNamespace(head_dim=HEAD, dropout=dropout)
    model = SimpleNamespace(
        config=SimpleNamespace(_attn_implementation=implementation),
        device=torch.device(kind, 0) if kind in ("cuda", "xpu", "xla") else torch.device(kind),
        dtype=getattr(torch, precision),
        training=dropout > 0,
        is_gradient_checkpointing=checkpointing,
        blocks=[SimpleNamespace(attention=attention)],
    )
    asked = asked or {}
    mask = torch.ones(2, 3) if mask is None else mask
    with mock.patch.object(torch.compiler, "is_compiling", return_value=compiled):
        if by_row:
            with packing.rows_as_given():
                packs = packing.is_packable(model, asked, mask)
        else:
            packs = packing.is_packable(model, asked, mask)
        if not packs:
            return "padded"
        kernel = packing.packed_kernel(model, bool(asked.get("output_attentions")))
    return kernel.value


def devices() -> str:
    lines = [
        "| device | precision | evaluation, or no dropout of the weights | training with dropout |",
        "|---|---|---|---|",
    ]
    for name, (kind, capability, rocm, precisions) in DEVICES.items():
        for precision in precisions:
            with machine(kind, capability, rocm):
                cells = [decided(kind, precision, dropout=p) for p in (0.0, 0.1)]
            lines.append(f"| {name} | {precision} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def modes() -> str:
    lines = ["| mode | CPU | CUDA, Ampere and later, bfloat16 | MPS |", "|---|---|---|---|"]
    for name, how in MODES.items():
        cells = []
        for device, precision in (
            ("CPU", "float32"),
            ("CUDA, Ampere and later", "bfloat16"),
            ("MPS (Apple)", "float32"),
        ):
            kind, capability, rocm, _ = DEVICES[device]
            with machine(kind, capability, rocm):
                cells.append(decided(kind, precision, **how))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def test_the_page_has_the_tables_of_the_decision_function():
    page = PAGE.read_text(encoding="utf-8")
    for table in (devices(), modes()):
        assert table in page, f"docs/concepts/padding.md is behind the code; this is the table now:\n{table}"


def test_the_page_says_what_each_kernel_is():
    page = PAGE.read_text(encoding="utf-8")
    assert [kernel.value for kernel in Kernel if f"**{kernel.value}**" not in page] == []


if __name__ == "__main__":
    print(devices(), modes(), sep="\n\n")

"""Checkpoints speak `transformers`' names, models here speak the paper's: what makes the two meet.

A model file ends in a table of names, which `from_pretrained` applies and `save_pretrained` undoes. Three things that
the library leaves open are closed here: a stock `model_type` in a config would hide ours, so that no table is found and
every weight stays random; `load_state_dict`, by which `Trainer` resumes, converts nothing; and a table half-used on
load would be half-undone on save.
"""

import logging
import os
import pickletools
import re
import zipfile
from collections import defaultdict
from copy import deepcopy
from pathlib import Path

from transformers import PreTrainedConfig, PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping, register_checkpoint_conversion_mapping
from transformers.core_model_loading import (
    PrefixChange,
    WeightConverter,
    WeightRenaming,
    dot_natural_key,
    rename_source_key,
)
from transformers.modeling_utils import load_state_dict

# transformers' own, so that what it says of a checkpoint and what is said here are silenced together.
logger = logging.getLogger("transformers.modeling_utils")
adapter_logger = logging.getLogger("transformers.integrations.peft")


class CheckpointError(ValueError, RuntimeError):
    """A checkpoint that does not fit the model: of another kind, incomplete, or with tensors nothing takes.

    Stock classes raise RuntimeError for a tensor of another size: who catches that, catches this.
    """


class StockConfig:
    """Mixin for configs: reads a stock `config.json` of the same architecture, and writes where our code is."""

    stock_model_type: str
    stock_kinds: tuple[str, ...] = ()  # further names that stock has for the same architecture
    stock_defaults: dict = {}  # what a stock `config.json` means by the fields it leaves out, where ours would differ
    auto_classes: dict[str, str] = {}  # "AutoModelForMaskedLM" -> "bert.XfmrBertForMaskedLM", filled by `register`

    @classmethod
    def get_config_dict(cls, pretrained_model_name_or_path, **kwargs):
        config, kwargs = super().get_config_dict(pretrained_model_name_or_path, **kwargs)
        kind = config.get("model_type", cls.model_type)
        cls.check_kind(kind, pretrained_model_name_or_path)
        defaults = {} if kind == cls.model_type else cls.stock_defaults
        if kind in cls.stock_kinds:
            config["stock_model_type"] = kind
        return {**defaults, **config, "model_type": cls.model_type}, kwargs

    @classmethod
    def reads(cls, kind) -> bool:
        """Whether a `model_type` is ours, or what stock calls this architecture."""
        return kind in (cls.model_type, cls.stock_model_type, *cls.stock_kinds)

    @classmethod
    def check_kind(cls, kind: str, name) -> None:
        if not cls.reads(kind):
            told = ", ".join(f"'{one}'" for one in (cls.stock_model_type, *cls.stock_kinds))
            raise CheckpointError(
                f"{name} is a checkpoint of kind '{kind}'; {cls.__name__} reads {told} and '{cls.model_type}'. "
                "Name another checkpoint, or load this one with the class of its kind."
            )

    def __post_init__(self, **kwargs):
        # a stock one would hide ours, by which the table of names is found
        if (kind := kwargs.pop("model_type", None)) in self.stock_kinds:
            self.stock_model_type = kind
        super().__post_init__(**kwargs)
        # a field of transformers 4, which 5 has forgotten and passes over
        if (positions := getattr(self, "position_embedding_type", None)) not in (None, "absolute"):
            raise ValueError(
                f"position_embedding_type is {positions!r}, and positions are added to words here, 'absolute', as in "
                "transformers from 5 on: take a checkpoint of that kind, or transformers 4"
            )

    @property
    def first_position(self) -> int:
        """The number of a text's first position, as position_ids give it."""
        return 0

    @property
    def longest_row(self) -> int:
        """The tokens that a row may have, special tokens included."""
        return self.max_position_embeddings - self.first_position

    def save_pretrained(self, save_directory, push_to_hub: bool = False, **kwargs):
        self.auto_map = dict(self.auto_classes)  # every head, not only the one being saved
        super().save_pretrained(save_directory, push_to_hub, **kwargs)


def register(config_class: type, rules: list, **models: type) -> None:
    """Have the models of this config speak stock's names on disk, by `rules` from those to ours, and say which class an
    `AutoModel…` gives for it in a folder read with `trust_remote_code=True`.

    `models` maps names of Auto classes to model classes of the same file as `config_class`.
    """
    register_checkpoint_conversion_mapping(config_class.model_type, rules, overwrite=True)
    config_class.register_for_auto_class()
    for auto_class, model_class in models.items():
        model_class.register_for_auto_class(auto_class)
    config_class.auto_classes = {
        auto_class: f"{cls.__module__.split('.')[-1]}.{cls.__name__}"
        for auto_class, cls in {"AutoConfig": config_class, **models}.items()
    }


def renamings(names: dict[str, str]) -> list[WeightRenaming]:
    """Rules for `register`, from parts of stock's tensor names to ours: patterns, in which a dot is a dot."""
    return [WeightRenaming(*(part.replace(".", r"\.") for part in pair)) for pair in names.items()]


class LoadOnlyRename(PrefixChange):
    """A renaming for old files only: applied on load, never written back on save."""

    __slots__ = ()

    def __init__(self, source_patterns: str, target_patterns: str):
        self.prefix_to_add = self.prefix_to_remove = None
        self.model_prefix = ""
        WeightRenaming.__init__(self, source_patterns, target_patterns)

    def reverse_transform(self) -> WeightRenaming:
        return WeightRenaming(r"(?!x)x", "x")  # matches nothing


class _ReportFilter(logging.Filter):
    """Keeps off the screen what `check_loading` replaces: transformers' table of missing and unexpected tensors, its
    suspicion of every checkpoint on which a head with tied weights is new, and that it unties what is one."""

    report = ""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if "LOAD REPORT" in text:
            self.report = text
        return not any(words in text for words in ("LOAD REPORT", "checkpoint seem corrupted", "will NOT tie them"))


class StockModel:
    """Mixin for models: `load_state_dict` takes stock names too, and what does not fit is an error that names it."""

    # What the parts of blocks.py can do, and so every model made of them.
    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = _supports_attention_backend = True
    _can_compile_fullgraph = supports_gradient_checkpointing = True
    gradient_checkpointing = False  # until it is enabled
    _input_embed_layer = "word"

    heads: tuple[str, ...] = ()  # parts that one model of the family has and another has not
    tables_on_disk = r"(^|\.)(position_ids|token_type_ids)$"  # constants that old files carry

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs):
        """As `PreTrainedModel.from_pretrained`. Raises `CheckpointError` where stock classes print a table: a tensor
        of the model that is not in the checkpoint and not a new head, a tensor of the checkpoint that nothing took,
        or (without `ignore_mismatched_sizes`) one of another shape; two that differ where the config makes one of
        them; and for a file that is cut off or damaged. Of an adapter's folder that holds for its base model, and for
        the adapter. With `output_loading_info=True` what is missing and left over is returned, not judged."""
        config = kwargs.get("config")
        own = isinstance(config, cls.config_class) and config.model_type == cls.config_class.model_type
        if isinstance(config, PreTrainedConfig) and not own:
            cls.config_class.check_kind(config.model_type, f"the config given for {pretrained_model_name_or_path}")
            kwargs["config"] = cls.config_class.from_dict(config.to_dict())
            kwargs["config"]._attn_implementation = config._attn_implementation
        report = _ReportFilter()
        logger.addFilter(report)
        adapter_logger.addFilter(report)
        wants_info = kwargs.pop("output_loading_info", False)
        ignore_sizes = kwargs.pop("ignore_mismatched_sizes", False)
        try:
            model, info = super().from_pretrained(
                pretrained_model_name_or_path,
                *args,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **kwargs,
            )
        except CheckpointError:
            raise
        except Exception as error:
            damaged = _damaged_file(pretrained_model_name_or_path)
            if damaged and (words := code_in(damaged)):
                raise CheckpointError(
                    f"{damaged} holds code ({words}), which was not run: get the model as safetensors."
                ) from error
            if damaged:
                raise CheckpointError(f"{damaged} is cut off or damaged: copy or download it again.") from error
            if isinstance(error, RuntimeError) and report.report:
                raise CheckpointError(f"{pretrained_model_name_or_path} can't be converted: {report.report}") from error
            raise
        finally:
            logger.removeFilter(report)
            adapter_logger.removeFilter(report)
        model.__dict__.pop("_base_loading", None)
        if not wants_info or (info["mismatched_keys"] and not ignore_sizes):
            model.check_loading(pretrained_model_name_or_path, info, ignore_sizes)
        return (model, info) if wants_info else model

    @staticmethod
    def _finalize_model_loading(model, load_config, loading_info):
        """transformers would untie, in a warning, two tables that are there and differ, against the config."""
        tied = dict(model.all_tied_weights_keys)
        info = PreTrainedModel._finalize_model_loading(model, load_config, loading_info)
        if differ := [pair for pair in tied.items() if pair[0] not in model.all_tied_weights_keys]:
            raise CheckpointError(model._not_one(load_config.pretrained_model_name_or_path, *differ[0]))
        model._base_loading = load_config.pretrained_model_name_or_path, info.to_dict()
        return info

    def _not_one(self, name, key: str, other: str) -> str:
        return (
            f"{name} holds {self._both_names(other)} and {self._both_names(key)}, which differ, and its config says "
            'that they are one: set "tie_word_embeddings": false there to keep both, or take out the one not meant.'
        )

    def load_adapter(self, *args, **kwargs):
        """As `PreTrainedModel.load_adapter`; within `from_pretrained`, which forgets what the base model lacked, that
        is judged first."""
        if "_base_loading" in self.__dict__:
            self.check_loading(*self.__dict__.pop("_base_loading"))
        return super().load_adapter(*args, **kwargs)

    @property
    def num_labels(self) -> int:
        return self.config.num_labels

    def check_loading(self, name, info: dict, ignore_mismatched_sizes: bool = False) -> None:
        """Judge what a checkpoint lacked and left over; log new heads and known leftovers in one line.

        Raises `CheckpointError` naming the tensors otherwise.
        """
        missing, unexpected = sorted(info["missing_keys"]), sorted(info["unexpected_keys"])
        sizes = sorted(info["mismatched_keys"])
        if sizes and not ignore_mismatched_sizes:
            key, there, here = sizes[0]
            advice = (
                "The adapter was trained on a base model of other sizes: give that one as base_model_name_or_path."
                if self._has_adapter
                else "Give the checkpoint's sizes (num_labels, vocab_size, …) in the config, or "
                "ignore_mismatched_sizes=True to start such tensors anew."
            )
            raise CheckpointError(
                f"{name}: {key} is {list(there)} in the checkpoint and {list(here)} in {type(self).__name__}"
                f"{_and_more(sizes[1:])}. {advice}"
            )
        new, lost = self._new_heads(missing)
        if lost:
            raise CheckpointError(
                f"{name} lacks {self._both_names(lost[0])}{_and_more(lost[1:])}, without which "
                f"{type(self).__name__} would compute noise. The file is incomplete or of another architecture."
            )
        others = tuple(prefix for head in self.heads if not self._has(head) for prefix in self._prefixes(head))
        # A head that is new takes nothing of one that has its name and other parts.
        others += tuple(prefix for head in new for prefix in self._prefixes(head))
        strange = [
            key for key in unexpected if not (f"{key}.".startswith(others) or re.search(self.tables_on_disk, key))
        ]
        if strange:
            raise CheckpointError(
                f"{name} holds {self._both_names(strange[0])}{_and_more(strange[1:])}, which nothing in "
                f"{type(self).__name__} takes. The file is of another architecture or of a newer version of it."
            )
        notes = []
        if sizes:  # in transformers' words
            notes.append(f"Reinit due to size mismatch: {_some([key for key, *_ in sizes])}")
        if new:
            notes.append(f"new, not in the checkpoint: {_some(new)}")
        if unexpected:
            notes.append(f"not used from it: {_some(_parts([stock_name(self, key) for key in unexpected]))}")
        if notes:
            logger.warning("%s from %s: %s", type(self).__name__, name, "; ".join(notes))

    def _new_heads(self, missing: list[str]) -> tuple[list[str], list[str]]:
        """Of the missing tensors: the heads that are new as a whole, and the tensors for which that is no excuse."""
        tied = getattr(self, "all_tied_weights_keys", {})
        own = [name for name, _ in self.named_parameters() if name not in tied]
        new = []
        for head in self.heads:
            tensors = [name for name in own if name.startswith(self._prefixes(head))]
            if tensors and all(name in missing for name in tensors):
                new.append(head)
        excused = tuple(prefix for head in new for prefix in self._prefixes(head))
        return new, [name for name in missing if not name.startswith(excused)]

    @property
    def _has_adapter(self) -> bool:
        return getattr(self, "_hf_peft_config_loaded", False)

    def _both_names(self, key: str) -> str:
        on_disk = key if self._has_adapter else stock_name(self, key)  # an adapter's names are ours
        return key if on_disk == key else f"{key} (on disk {on_disk})"

    def _prefixes(self, head: str) -> tuple[str, str]:
        return f"{head}.", f"{self.base_model_prefix}.{head}."

    def _has(self, head: str) -> bool:
        return any(getattr(model, head, None) is not None for model in (self, self.base_model))

    # `from_pretrained` keeps only the conversions that matched, and `save_pretrained` undoes only those; a head model
    # loaded from a base checkpoint would be saved with half its names. None stands for the whole table.
    @property
    def _weight_conversions(self):
        return None

    @_weight_conversions.setter
    def _weight_conversions(self, value):
        pass

    def load_state_dict(self, state_dict, strict: bool = True, assign: bool = False):
        """As `nn.Module.load_state_dict`, for tensors under our names or under stock's."""
        own = self.state_dict().keys()
        if any(key not in own for key in state_dict):
            state_dict = to_own_names(self, state_dict)
        for key, source in getattr(self, "all_tied_weights_keys", {}).items():
            if key in state_dict and source in state_dict and not _same(state_dict[key], state_dict[source]):
                raise CheckpointError(self._not_one("The state dict", key, source))
        result = super().load_state_dict(state_dict, strict=strict, assign=assign)
        # A tied tensor is in the file once, under the other name: nothing is missing, and Trainer need not warn.
        tied = getattr(self, "all_tied_weights_keys", {})
        result.missing_keys[:] = [key for key in result.missing_keys if tied.get(key, key) not in state_dict]
        return result


def _same(a, b) -> bool:
    if a is b or a.is_meta or b.is_meta:
        return True
    return a.shape == b.shape and bool(((a == b.to(a.device)) | (a != a) & (b != b).to(a.device)).all())


def to_own_names(model, state_dict: dict) -> dict:
    """A state dict under stock names, converted as `from_pretrained` converts a file."""
    table = get_model_conversion_mapping(model)
    renamings, converters = _by_kind(table)
    by_pattern = {pattern: entry for entry in converters for pattern in entry.source_patterns}
    own, groups = model.state_dict(), {}
    for key, tensor in sorted(state_dict.items(), key=lambda item: dot_natural_key(item[0])):
        name, pattern = rename_source_key(key, renamings, converters, model.base_model_prefix, own)
        if name not in own and key in own:
            name, pattern = key, None
        fresh = deepcopy(by_pattern[pattern]) if pattern else WeightRenaming(key, name)
        groups.setdefault(name, fresh).add_tensor(name, key, pattern or key, tensor)
    converted = {}
    for key, group in groups.items():
        for name, value in group.convert(key, model=model, config=model.config).items():
            converted[name] = value[0] if isinstance(value, list) else value
    return converted


def stock_name(model, key: str) -> str:
    """The name that a tensor of ours has on disk, or, if it is a part of a tensor there, that tensor's."""
    return stock_names(model, [key])[key]


def stock_names(model, keys) -> dict[str, str]:
    """`stock_name` of many tensors, each under its name here."""
    table = get_model_conversion_mapping(model, add_legacy=False)
    renamings, converters = _by_kind([entry.reverse_transform() for entry in reversed(table)])
    return {key: rename_source_key(key, renamings, converters, reverse=True)[0] for key in keys}


def _by_kind(table: list) -> tuple[list[WeightRenaming], list[WeightConverter]]:
    return (
        [entry for entry in table if isinstance(entry, WeightRenaming)],
        [entry for entry in table if isinstance(entry, WeightConverter)],
    )


def _damaged_file(folder) -> Path | None:
    """The first file of tensors in a local folder that can't be opened."""
    if folder is None or not os.path.isdir(folder):
        return None
    files = [*Path(folder).glob("model*.safetensors")] or [*Path(folder).glob("pytorch_model*.bin")]
    for file in sorted(files):
        try:
            load_state_dict(file, map_location="meta")
        except Exception:
            return file
    return None


def code_in(file: Path) -> str:
    """What a file of torch.save would call beyond making tensors, by name; "" for nothing. Nothing of it is run."""
    if file.suffix not in (".bin", ".pt", ".pth"):
        return ""
    called, words = [], []
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                raw = archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
        else:  # as torch wrote it before 1.6
            raw = file.read_bytes()
        for operation, argument, _ in pickletools.genops(raw):
            if operation.name in ("GLOBAL", "INST"):
                called.append(str(argument).replace(" ", "."))
            elif operation.name == "STACK_GLOBAL":
                called.append(".".join(words[-2:]))
            elif isinstance(argument, str):
                words.append(argument)
    except Exception:  # cut off, or no pickle at all: what was read until then is told
        pass
    strange = {name for name in called if not name.startswith(("torch.", "collections.", "numpy.", "_codecs."))}
    return ", ".join(sorted(strange)[:3])


def _some(names: list[str], most: int = 12) -> str:
    """Of many names the first, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _and_more(keys: list) -> str:
    return f" and {len(keys)} more tensor{'s' * (len(keys) > 1)}" if keys else ""


def _parts(keys: list[str]) -> list[str]:
    """Tensor names, where several share all but their last component as that and their number."""
    groups: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        groups[key.rpartition(".")[0] or key].append(key)
    return [group[0] if len(group) == 1 else f"{part} ({len(group)})" for part, group in groups.items()]

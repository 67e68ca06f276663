"""A dataset's name -> its splits: a Hub name, a sample, a local file, a folder of files, or a saved dataset."""

import os
import re
from collections.abc import Collection, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub.constants
from datasets import Dataset, DatasetDict
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, RepositoryNotFoundError

from .. import samples
from ..errors import UserError
from ..plain import one_line, without_password
from ..writing import fault_of
from . import cache
from .files import read_files
from .regular import check_regular
from .table import kinds
from .table.packed import bare
from .table.reading import Reading
from .table.settings import TableSettings
from .wording import listed

SHARD = re.compile(r"(?P<split>[a-z]+)[-_.]\d+([-_]of[-_]\d+)?")
PART = re.compile(r"((part|data|chunk|shard|file)[-_.]?)?\d+([-_.].*)?")  # of a folder that one table was written into
# Other names of the three splits, in files and on the Hub.
ALIASES = {"training": "train", "dev": "validation", "valid": "validation", "val": "validation"}


def load_dataset_dict(
    name: Any, *, config: str | None = None, table: TableSettings | None = None, readings: list[Reading] | None = None
) -> DatasetDict:
    """All splits of a dataset, as they stand; nothing is carved, dropped or converted here.

    `name` is one of

    - `sample:NAME`, a corpus of `hf_xfmr.samples`;
    - a file (see `table.kinds`; CSV, JSON and their like also packed, as .gz), which becomes the split `train`, unless
      it names splits itself;
    - a folder with `train`, `validation` (or `dev`, `valid`, `val`) and `test` files, each whole or in numbered shards,
      or with the numbered parts of one table;
    - a folder written by `DatasetDict.save_to_disk` (or `Dataset.save_to_disk`: the split `train`);
    - a name on the Hub, with its configuration `config`; one that was loaded before is found without a connection;
    - a DatasetDict, Dataset, DataFrame or Arrow table, or a dict of these by split.

    A split called `dev`, `valid` or `val` is called `validation` from here on. `table` is what the user says of how
    files are written; what was understood of each is added to `readings`. Raises UserError for what cannot be read.
    """
    if not isinstance(name, str):
        from .given import GivenRows

        if config is not None:
            raise UserError(f'dataset_config "{config}" is for datasets of the Hub, and these are rows; leave it out')
        rows = name if isinstance(name, GivenRows) else GivenRows(name)
        if readings is not None:
            readings += rows.readings
        return with_usual_names(rows.splits)
    path = local_path(name)
    if samples.is_sample(name):
        splits, local = samples.load(name), True
    elif os.path.isdir(path):
        splits, local = _folder(path, table, readings), True
    elif not os.path.lexists(path) and len(name) < 200 and not _may_be_on_hub(name, path):
        raise UserError(f"{name}: no such file or folder; check the path, which is seen from {Path.cwd()}")
    elif os.path.lexists(path) or not _may_be_on_hub(name, path):
        check_regular(path, "file or folder")
        splits, local = read_files({"train": path}, table, readings), True
    else:
        splits, local = load_hub(name, config), False
    if local and config is not None:
        raise UserError(
            f'dataset_config "{config}" is for datasets of the Hub, but {name} is local; leave it out (where a config '
            "file says it, --dataset_config null takes it back)"
        )
    return with_usual_names(splits)


def local_path(name: str) -> Path:
    """The path that a name would be here. Raises UserError for an address, and for a `~user` who is not known."""
    if "://" in name:
        raise UserError(
            f"{without_password(name)}: nothing is read from an address; download the file, and give its path"
        )
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise UserError(f"{name}: there is no such user here, whose folder that would be; check the path") from None


def _may_be_on_hub(name: str, path: Path) -> bool:
    is_path = kinds.is_table(path) or path.is_absolute() or name.startswith((".", "~"))
    return bool(name) and not is_path and name.count("/") <= 1 and len(name) < 200


def with_usual_names(splits: Mapping[str, Dataset]) -> DatasetDict:
    """The same splits, one called `dev`, `valid` or `val` under the name `validation` unless another has it."""
    usual = {split: ALIASES.get(split.lower(), split) for split in splits}
    return DatasetDict({split if usual[split] in splits else usual[split]: rows for split, rows in splits.items()})


def _folder(path: Path, table: TableSettings | None, readings: list[Reading] | None) -> Mapping[str, Dataset]:
    if (path / "dataset_dict.json").exists() or (path / "state.json").exists():
        try:
            saved = datasets.load_from_disk(str(path))
        except Exception as error:  # whatever pyarrow, json or the file system say of a damaged folder
            raise UserError(f"{path}: the saved dataset cannot be loaded ({one_line(error)}); save it again") from error
        return saved if isinstance(saved, DatasetDict) else {"train": saved}
    return read_files(table_files(path), table, readings)


def table_files(path: Path) -> dict[str, list[Path]]:
    """The files of a folder's tables by split: those named for a split, whole or in shards, in the folder, in its
    folder `data`, or in folders named for splits; else the parts of one table, or the only table. Raises UserError if
    there is none of train."""
    for folder in (path, path / "data"):
        if not folder.is_dir():
            continue
        found = split_parts(folder, kinds.SUFFIXES)
        for inner in sorted(one for one in folder.iterdir() if one.is_dir()):
            split = ALIASES.get(inner.name.lower(), inner.name.lower())
            if split in ("train", "validation", "test") and split not in found and (files := _tables(inner)):
                found[split] = files
        if "train" in found:
            return found
    files = _tables(path)
    if len({bare(file).suffix.lower() for file in files}) == 1 and all(PART.fullmatch(one.stem) for one in files):
        return {"train": files}
    if len(files) == 1:
        return {"train": files}
    also = f", not only {listed(file.name for file in files)}" if files else ""
    raise UserError(
        f"{path}: the folder has no train file{also}; name it train.EXT, where EXT is one of {kinds.FORMATS}"
    )


def _tables(folder: Path) -> list[Path]:
    return sorted(one for one in folder.iterdir() if kinds.is_table(one) and one.name[0] not in "._" and one.is_file())


def split_parts(path: Path, suffixes: Collection[str]) -> dict[str, list[Path]]:
    """The files of a folder that are named for a split and end in one of these suffixes (however packed), by split:
    one, or its shards as train-00000-of-00003. Raises UserError for two that are the same split."""
    found: dict[str, list[Path]] = {}
    shards: dict[str, list[Path]] = {}
    for file in sorted(path.iterdir()):
        stem = bare(file).stem.lower()
        shard = SHARD.fullmatch(stem)
        stem = shard["split"] if shard else stem
        split = ALIASES.get(stem, stem)
        if bare(file).suffix.lower() not in suffixes or split not in ("train", "validation", "test"):
            continue
        if shard:
            shards.setdefault(split, []).append(file)
            continue
        if split in found:
            raise UserError(
                f"{path}: {found[split][0].name} and {file.name} are both the {split} split; keep one of them"
            )
        found[split] = [file]
    for split, files in shards.items():
        if split in found:
            raise UserError(
                f"{path}: {found[split][0].name} and {files[0].name} are both the {split} split; keep one of them"
            )
        found[split] = files
    return found


def split_files(path: Path, suffixes: Collection[str] = kinds.SUFFIXES) -> dict[str, Path]:
    """As `split_parts`, for those who read one file a split. Raises UserError for shards."""
    found = split_parts(path, suffixes)
    for split, files in found.items():
        if len(files) > 1:
            raise UserError(f"{path}: {split} is {len(files)} files; put them together into {split}{files[0].suffix}")
    return {split: file for split, (file,) in found.items()}


def load_hub(name: str, config: str | None, *, streaming: bool = False) -> dict:
    """The splits of a dataset on the Hub, or in the cache if that can't be reached; with `streaming` as
    `datasets.IterableDataset`. Raises UserError if there are none to be had."""
    try:
        HfApi().dataset_info(name, timeout=10)  # fails at once where load_dataset tries for half a minute
    except RepositoryNotFoundError:
        raise UserError(
            f"{name}: there is no file or folder of this name here and no dataset on the Hub that you can see; "
            "check the spelling, or log in (hf auth login) if it is private"
        ) from None
    except HFValidationError:
        raise UserError(
            f"{name}: there is no file or folder of this name here, and it cannot be the name of a dataset on the Hub; "
            "check the spelling"
        ) from None
    except HfHubHTTPError as error:
        raise UserError(f"{name}: the Hub refuses it ({one_line(error)})") from None
    except Exception as error:  # no name service, no route, a proxy, offline mode: each library has its own class
        reason = "offline mode is on" if isinstance(error, OfflineModeIsEnabled) else one_line(error)
        with _offline():
            return _load(name, config, streaming, unreachable=reason)
    return _load(name, config, streaming)


def _load(name: str, config: str | None, streaming: bool, *, unreachable: str = "the connection broke") -> dict:
    try:
        with cache.for_streams() if streaming else nullcontext():
            return datasets.load_dataset(name, config, streaming=streaming)
    except ConnectionError:
        raise UserError(
            f"{name}: there is no file or folder of this name here, and the Hub cannot be reached ({unreachable}); "
            "a local file or a sample: name works in the same place"
        ) from None
    except Exception as error:  # the library's own words, for what only the dataset's author or its page can explain
        if fault := fault_of(error):
            raise UserError(f"{name}: {cache.words_of(fault)}") from error
        raise UserError(f"{name}: the Hub's dataset cannot be loaded: {one_line(error)}") from error


@contextmanager
def _offline():
    """Offline mode, so that what is in the cache is used without asking the Hub again."""
    before = huggingface_hub.constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    huggingface_hub.constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before

"""A dataset's name -> its splits: a Hub name, a sample, a local file, a folder of files, or a saved dataset."""

import os
from collections.abc import Collection, Mapping
from contextlib import contextmanager
from pathlib import Path

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
from .files import READERS, read_files
from .regular import check_regular

FORMATS = ", ".join(suffix.removeprefix(".") for suffix in READERS)
# Other names of the three splits, in files and on the Hub.
ALIASES = {"training": "train", "dev": "validation", "valid": "validation", "val": "validation"}


def load_dataset_dict(name: str, *, config: str | None = None) -> DatasetDict:
    """All splits of a dataset, as they stand; nothing is carved, dropped or converted here.

    `name` is one of
    - `sample:NAME`, a corpus of `hf_xfmr.samples`;
    - a CSV, TSV, JSON, JSONL or Parquet file, which becomes the split `train`;
    - a folder with `train`, `validation` (or `dev`, `valid`, `val`) and `test` files in these formats;
    - a folder written by `DatasetDict.save_to_disk` (or `Dataset.save_to_disk`: the split `train`);
    - a name on the Hub, with its configuration `config`; one that was loaded before is found without a connection.

    A split called `dev`, `valid` or `val` is called `validation` from here on. Raises UserError for what cannot be
    read.
    """
    path = local_path(name)
    if samples.is_sample(name):
        splits, local = samples.load(name), True
    elif os.path.isdir(path):
        splits, local = _folder(path), True
    elif not os.path.lexists(path) and len(name) < 200 and not _may_be_on_hub(name, path):
        raise UserError(f"{name}: no such file or folder; check the path, which is seen from {Path.cwd()}")
    elif os.path.lexists(path) or not _may_be_on_hub(name, path):
        check_regular(path, "file or folder")
        splits, local = _file(path), True
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
    is_path = path.suffix.lower() in READERS or path.is_absolute() or name.startswith((".", "~"))
    return bool(name) and not is_path and name.count("/") <= 1 and len(name) < 200


def with_usual_names(splits: Mapping[str, Dataset]) -> DatasetDict:
    """The same splits, one called `dev`, `valid` or `val` under the name `validation` unless another has it."""
    usual = {split: ALIASES.get(split.lower(), split) for split in splits}
    return DatasetDict({split if usual[split] in splits else usual[split]: rows for split, rows in splits.items()})


def _file(path: Path) -> dict[str, Dataset]:
    if path.suffix.lower() not in READERS:
        raise UserError(f"{path}: files that end in {path.suffix or 'nothing'} cannot be read; give one of {FORMATS}")
    return read_files({"train": path})


def _folder(path: Path) -> dict[str, Dataset]:
    if (path / "dataset_dict.json").exists() or (path / "state.json").exists():
        try:
            saved = datasets.load_from_disk(str(path))
        except Exception as error:  # whatever pyarrow, json or the file system say of a damaged folder
            raise UserError(f"{path}: the saved dataset cannot be loaded ({one_line(error)}); save it again") from error
        return saved if isinstance(saved, DatasetDict) else {"train": saved}
    found = split_files(path)
    if "train" not in found:
        raise UserError(f"{path}: the folder has no train file; name it train.EXT, where EXT is one of {FORMATS}")
    return read_files(found)


def split_files(path: Path, suffixes: Collection[str] = tuple(READERS)) -> dict[str, Path]:
    """The files of a folder that are named for a split and end in one of these suffixes, by split."""
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        split = ALIASES.get(file.stem.lower(), file.stem.lower())
        if file.suffix.lower() in suffixes and split in ("train", "validation", "test"):
            if split in found:
                raise UserError(
                    f"{path}: {found[split].name} and {file.name} are both the {split} split; keep one of them"
                )
            found[split] = file
    return found


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

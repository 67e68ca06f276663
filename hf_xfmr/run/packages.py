"""Packages that are absent: the command that installs each, with the extra of hf_xfmr that holds it."""

import re
from importlib import metadata

# Modules that are called otherwise than the package that holds them.
_NAMES = {"sklearn": "scikit-learn", "pycrfsuite": "python-crfsuite", "yaml": "PyYAML", "google": "protobuf"}
_NAMES |= {"comet_ml": "comet-ml", "azure_ml": "azureml-mlflow", "dvc": "dvclive", "flyte": "flytekit", "PIL": "pillow"}
_COMBINED = ("dev", "neighbours")  # extras that hold other extras


def install(module: str) -> str:
    """`pip install …` for a module, by its name or one within it."""
    top = module.split(".")[0]
    package = _NAMES.get(top, top.replace("_", "-"))
    return f"pip install '{extra}'" if (extra := _extra(package)) else f"pip install {package}"


def _extra(package: str) -> str | None:
    """`hf_xfmr[NAME]`; None for a package that is in none of ours, or where hf_xfmr itself is not installed by pip."""
    try:
        needs = metadata.requires("hf_xfmr") or []
    except metadata.PackageNotFoundError:
        return None
    for need in needs:
        found = re.match(r"([\w.-]+).*extra == ['\"](\w+)['\"]", need)
        if found and found[2] not in _COMBINED and found[1].replace("_", "-").lower() == package.lower():
            return f"hf_xfmr[{found[2]}]"
    return None

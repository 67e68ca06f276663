"""The commands of `python -m hf_xfmr` that are a file each."""

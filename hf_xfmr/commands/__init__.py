"""The commands of `python -m hf_xfmr`, a file each: arguments in, one call, the answer out."""

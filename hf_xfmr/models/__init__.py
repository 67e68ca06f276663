"""The models, and all that travels with them to a hub: imports torch, transformers and files of this folder only."""

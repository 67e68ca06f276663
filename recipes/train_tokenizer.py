"""Train a tokenizer (wordpiece, bpe, unigram or char) on any texts, and report what it makes of held-out ones.

    python recipes/train_tokenizer.py recipes/configs/train_tokenizer/bpe-shakespeare.yaml [--key value ...]

Ends with a folder that plain `AutoTokenizer.from_pretrained` loads.
"""

from dataclasses import dataclass, field
from pathlib import Path

import hf_xfmr.run.early  # noqa: F401  answers --help before what takes seconds to import
from hf_xfmr import tokenizer
from hf_xfmr.data.documents import CORPUS, DocumentSettings, load_documents
from hf_xfmr.errors import UserError
from hf_xfmr.run import program
from hf_xfmr.run.console import say
from hf_xfmr.run.settings import Given, parse
from hf_xfmr.training import checkpoints


@dataclass(kw_only=True)
class Settings(DocumentSettings):
    dataset: str = field(metadata={"help": CORPUS})
    kind: str = field(metadata={"help": "wordpiece, bpe, unigram or char"})
    model_max_length: int = field(metadata={"help": "the longest sequence the model takes, in tokens"})
    vocab_size: int | None = field(default=None, metadata={"help": "tokens to have at most; char may leave it out"})
    lowercase: bool = field(default=False, metadata={"help": "lower the letters first"})
    min_frequency: int | None = field(
        default=None, metadata={"help": "wordpiece, bpe: how often pieces stand side by side to become one; none: 2"}
    )


@dataclass(kw_only=True)
class Arguments:
    output_dir: str | None = field(default=None, metadata={"help": "where to save; none: runs/ and the config's name"})
    # What every recipe is asked for and this one has no use for: it draws nothing at random and goes on from nothing.
    seed: int = field(default=0, init=False)
    push_to_hub: bool = field(default=False, init=False)
    resume_from_checkpoint: str | None = field(default=None, init=False)


def main(argv: Given = None) -> dict[str, float]:
    """Run the recipe. Returns the figures of the held-out texts."""
    settings, args = parse(Settings, Arguments, argv=argv)
    documents, report = load_documents(settings.dataset, settings)
    if "validation" not in documents:
        raise UserError("nothing is held out to report on: give validation_fraction")
    say(*report)
    trained = tokenizer.train(
        documents["train"],
        settings.kind,
        vocab_size=settings.vocab_size,
        model_max_length=settings.model_max_length,
        lowercase=settings.lowercase,
        min_frequency=settings.min_frequency,
    )
    figures = tokenizer.report(trained, documents["validation"])
    with checkpoints.model_folder(Path(args.output_dir), "the tokenizer") as aside:
        trained.save_pretrained(aside)
    say("on the validation split:", tokenizer.format_report(figures), f"tokenizer: {args.output_dir}")
    return figures


if __name__ == "__main__":
    program.run(main)

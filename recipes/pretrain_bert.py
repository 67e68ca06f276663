"""Pre-train BERT on raw text by its paper's two tasks, from scratch or on from a checkpoint.

    python recipes/pretrain_bert.py recipes/configs/pretrain_bert/pretrain-reviews-zh.yaml [--key value ...]

Ends with loss, accuracy and perplexity of masked words and accuracy of next sentences on held-out text, a report, and a
folder that `classify_bert` and `tag_bert` take as `--model`, and `pipeline("fill-mask")` and `fill` load.
"""

from dataclasses import dataclass, field

import hf_xfmr.run.early  # noqa: F401  answers --help before what takes seconds to import
from hf_xfmr import check
from hf_xfmr.data.documents import CORPUS
from hf_xfmr.run import program, seeds
from hf_xfmr.run.console import say
from hf_xfmr.run.settings import Given, parse
from hf_xfmr.run.training import train
from hf_xfmr.tasks.pretraining import data, run


@dataclass(kw_only=True)
class Settings(data.PretrainingSettings, run.ModelSettings, check.Settings):
    dataset: str = field(metadata={"help": CORPUS})


@seeds.each
def main(argv: Given = None) -> dict[str, dict[str, float]]:
    """Run the recipe. Returns the metrics of each held-out split."""
    settings, args = parse(Settings, argv=argv)
    run.check(settings, settings, args)
    config, tokenizer = run.load_parts(settings, nsp=settings.nsp)
    corpus = data.pretraining(
        settings.dataset,
        tokenizer,
        settings,
        max_positions=config.longest_row,
        first_position=config.first_position,
        seed=args.seed,
    )
    say(*corpus.report)
    model = run.build_model(settings, config, corpus)
    trainer = run.make_trainer(args, model, corpus)
    check.before_training(trainer, settings, corpus)
    seconds = train(trainer)
    return run.finish(trainer, settings, corpus, seconds)


if __name__ == "__main__":
    program.run(main)

"""Fine-tune BERT to classify texts or pairs of texts (one label or several), or to rate them.

    python recipes/classify_bert.py recipes/configs/classify_bert/movie-reviews.yaml [--key value ...]

Ends with per-class metrics beside a TF-IDF baseline, a predictions file, a report, and a folder that loads with
`from_pretrained` and `pipeline`.
"""

from dataclasses import dataclass, field

import hf_xfmr.run.early  # noqa: F401  answers --help before what takes seconds to import
from hf_xfmr import check
from hf_xfmr.run import program, seeds
from hf_xfmr.run.console import say
from hf_xfmr.run.settings import Given, parse
from hf_xfmr.run.training import train
from hf_xfmr.tasks.classification import baseline as baseline_model
from hf_xfmr.tasks.classification import data, run
from hf_xfmr.tasks.classification.folds import each as folds
from hf_xfmr.tasks.classification.settings import ClassificationSettings


@dataclass(kw_only=True)
class Settings(ClassificationSettings, run.ModelSettings, check.Settings):
    dataset: str = field(
        metadata={"help": "sample:NAME, a CSV, TSV, JSON(L) or Parquet file, a folder of them, or a dataset on the Hub"}
    )
    baseline: bool = field(default=True, metadata={"help": "Fit TF-IDF + a linear model on the same split, to compare"})
    max_baseline_rows: int | None = field(
        default=baseline_model.MOST, metadata={"help": "Fit it on at most so many rows, which is said; null: all"}
    )


@folds.each
@seeds.each
def main(argv: Given = None) -> dict[str, dict[str, float]]:
    """Run the recipe. Returns the metrics of each split and of the baseline."""
    settings, args = parse(Settings, argv=argv)
    run.check(settings)
    config, tokenizer = run.load_parts(settings)
    corpus = data.classification(
        settings.dataset,
        tokenizer,
        settings,
        max_positions=config.longest_row,
        vocab_size=config.vocab_size if settings.model else None,
        seed=args.seed,
    )
    say(*corpus.report)
    model = run.build_model(settings, config, corpus)
    trainer, splits = run.make_trainer(settings, args, model, corpus)
    check.before_training(trainer, settings, corpus)
    against = None
    if settings.baseline and "test" in corpus.splits:
        against = baseline_model.fit_baseline(corpus, settings.max_baseline_rows)
    seconds = train(trainer)
    return run.finish(trainer, settings, model, corpus, splits, seconds, against)


if __name__ == "__main__":
    program.run(main)

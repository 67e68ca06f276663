"""Fine-tune BERT to tag the words of a text, as for named entities, or train a small one from scratch.

    python recipes/tag_bert.py recipes/configs/tag_bert/msra-ner.yaml [--key value ...]

Ends with entity-level figures of each type beside a baseline, a predictions file, a report, and a folder that loads
with `from_pretrained` and `pipeline("token-classification")`.
"""

from dataclasses import dataclass, field

import hf_xfmr.run.early  # noqa: F401  answers --help before what takes seconds to import
from hf_xfmr import check
from hf_xfmr.run import encoders, program, seeds
from hf_xfmr.run.console import say
from hf_xfmr.run.settings import Given, parse
from hf_xfmr.run.training import train
from hf_xfmr.tasks.tagging import data, run
from hf_xfmr.tasks.tagging.settings import TaggingSettings


@dataclass(kw_only=True)
class Settings(TaggingSettings, run.ModelSettings, check.Settings):
    dataset: str = field(
        metadata={
            "help": "sample:NAME, or a file or folder: CoNLL's layout (.conll, .bio, .txt, .tsv), a table with lists "
            "of words and tags or with a word a row (CSV, JSON(L), Parquet, Excel), texts with spans of characters "
            "(Doccano, Label Studio, Prodigy, spaCy, CLUENER, Dataturks); or a dataset on the Hub"
        }
    )


@seeds.each
def main(argv: Given = None) -> dict[str, dict[str, float]]:
    """Run the recipe. Returns the metrics of each split and of the baseline."""
    settings, args = parse(Settings, argv=argv)
    run.check(settings)
    config, tokenizer = encoders.parts_of(settings)
    corpus = data.tagging(
        settings.dataset,
        tokenizer,
        settings,
        max_positions=config.longest_row,
        vocab_size=config.vocab_size if settings.model else None,
    )
    say(*corpus.report)
    model = run.build_model(settings, config, corpus)
    trainer = run.make_trainer(args, model, corpus)
    check.before_training(trainer, settings, corpus)
    against = run.fit_baseline(settings, corpus)
    seconds = train(trainer)
    return run.finish(trainer, settings, corpus, seconds, against)


if __name__ == "__main__":
    program.run(main)

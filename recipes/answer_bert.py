"""Fine-tune BERT to answer questions by a part of a text, as SQuAD asks for it, or train a small one from scratch.

    python recipes/answer_bert.py recipes/configs/answer_bert/squad-v2.yaml [--key value ...]

Questions may have no answer. Ends with exact match and F1 beside a baseline, a predictions file, a report, and a folder
that loads with `from_pretrained`.
"""

from dataclasses import dataclass, field

import hf_xfmr.run.early  # noqa: F401  answers --help before what takes seconds to import
from hf_xfmr import check
from hf_xfmr.run import encoders, program, seeds
from hf_xfmr.run.console import say
from hf_xfmr.run.settings import Given, parse
from hf_xfmr.run.training import train
from hf_xfmr.tasks.question_answering import data, run
from hf_xfmr.tasks.question_answering.finish import finish
from hf_xfmr.tasks.question_answering.settings import AnsweringSettings


@dataclass(kw_only=True)
class Settings(AnsweringSettings, run.ModelSettings, check.Settings):
    dataset: str = field(
        metadata={
            "help": "sample:NAME, or a file or folder: SQuAD's JSON (1.1 or 2.0), its flat form (JSON lines, Parquet), "
            "a table with columns question, context and answer (CSV, Excel, …); or a dataset on the Hub"
        }
    )


@seeds.each
def main(argv: Given = None) -> dict[str, dict[str, float]]:
    """Run the recipe. Returns the metrics of each split and of the baseline."""
    settings, args = parse(Settings, argv=argv)
    run.check(settings)
    config, tokenizer = encoders.parts_of(settings)
    corpus = data.answering(
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
    return finish(trainer, settings, corpus, seconds, against)


if __name__ == "__main__":
    program.run(main)

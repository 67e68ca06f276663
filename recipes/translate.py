"""Train the 2017 Transformer to translate, from scratch or from a Marian checkpoint (opus-mt).

    python recipes/translate.py recipes/configs/translate/tatoeba-en-fr.yaml [--key value ...]

Ends with sacreBLEU and chrF of beam search, translations side by side with their references, a report, and a folder
that loads with `from_pretrained` and `pipeline("xfmr-translation")`.
"""

from dataclasses import dataclass

import hf_xfmr.run.early  # noqa: F401  answers --help before what takes seconds to import
from hf_xfmr import check
from hf_xfmr.run import program, seeds
from hf_xfmr.run.console import say
from hf_xfmr.run.settings import Given, parse
from hf_xfmr.run.training import train
from hf_xfmr.tasks.translation import data, run
from hf_xfmr.tasks.translation.trainer import XfmrSeq2SeqArguments as Arguments


@dataclass(kw_only=True)
class Settings(data.TranslationSettings, run.ModelSettings, check.Settings):
    """Settings of the data and of the model; Arguments has those of the training."""


@seeds.each
def main(argv: Given = None) -> dict[str, dict[str, float]]:
    """Run the recipe. Returns the metrics of each split."""
    settings, args = parse(Settings, Arguments, argv=argv)
    run.check(settings, args)
    config, tokenizers = run.load_parts(settings)
    corpus = data.translation(
        settings.dataset,
        tokenizers,
        settings,
        vocab_sizes=(config.vocab_size, config.decoder_vocab_size or config.vocab_size) if settings.model else None,
    )
    say(*corpus.report)
    model = run.build_model(settings, config, corpus)
    trainer = run.make_trainer(settings, args, model, corpus)
    check.before_training(trainer, settings, corpus)
    seconds = train(trainer)
    run.average_last(trainer)
    return run.finish(trainer, settings, corpus, seconds)


if __name__ == "__main__":
    program.run(main)

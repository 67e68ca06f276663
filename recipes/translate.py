"""Train the 2017 Transformer to translate, from scratch or from a Marian checkpoint (opus-mt).

    python recipes/translate.py recipes/configs/translate/tatoeba-en-fr.yaml [--key value ...]

Ends with sacreBLEU and chrF of beam search, translations side by side with their references, a report, and a folder
that loads with `from_pretrained` and `pipeline("xfmr-translation")`.
"""

from dataclasses import dataclass

from hf_xfmr import check, data, recipe, seeds
from hf_xfmr.tasks import translation
from hf_xfmr.training.seq2seq import XfmrSeq2SeqArguments


@dataclass(kw_only=True)
class Settings(data.TranslationSettings, translation.ModelSettings, check.Settings):
    """Settings of the data and of the model; XfmrSeq2SeqArguments has those of the training."""


@seeds.each
def main(argv: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Run the recipe. Returns the metrics of each split."""
    settings, args = recipe.parse(Settings, XfmrSeq2SeqArguments, argv=argv)
    translation.check(settings, args)
    config, tokenizers = translation.load_parts(settings)
    corpus = data.translation(
        settings.dataset,
        tokenizers,
        settings,
        vocab_sizes=(config.vocab_size, config.decoder_vocab_size or config.vocab_size) if settings.model else None,
    )
    recipe.say(*corpus.report)
    model = translation.build_model(settings, config, corpus)
    trainer = translation.make_trainer(settings, args, model, corpus)
    check.before_training(trainer, settings, corpus)
    seconds = recipe.train(trainer)
    translation.average_last(trainer)
    return translation.finish(trainer, settings, corpus, seconds)


if __name__ == "__main__":
    recipe.main(main)

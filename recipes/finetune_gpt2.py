"""Fine-tune GPT-2 on texts, or on instructions with their answers; or train one from scratch.

    python recipes/finetune_gpt2.py recipes/configs/finetune_gpt2/shakespeare-char.yaml [--key value ...]

Ends with loss, perplexity and bits per byte on held-out text, samples taken on the way, a report, and a folder that
loads with `from_pretrained` and `pipeline`.
"""

from dataclasses import dataclass, field

import hf_xfmr.run.early  # noqa: F401  answers --help before what takes seconds to import
from hf_xfmr import check
from hf_xfmr.data.documents import CORPUS
from hf_xfmr.run import program, seeds
from hf_xfmr.run.console import say
from hf_xfmr.run.settings import Given, parse
from hf_xfmr.run.training import train
from hf_xfmr.tasks.language_modeling import data, ending, run


@dataclass(kw_only=True)
class Settings(data.LanguageModelingSettings, run.ModelSettings, check.Settings):
    dataset: str = field(metadata={"help": CORPUS})


@seeds.each
def main(argv: Given = None) -> dict[str, dict[str, float]]:
    """Run the recipe. Returns the metrics of each held-out split."""
    settings, args = parse(Settings, argv=argv)
    run.check(settings, settings, args)
    config, tokenizer = run.load_parts(settings)
    corpus = data.language_modeling(settings.dataset, tokenizer, settings, max_positions=config.n_positions)
    say(*corpus.report)
    model = run.build_model(settings, config, corpus)
    trainer = run.make_trainer(settings, args, model, corpus)
    check.before_training(trainer, settings, corpus)
    before = ending.start(trainer, settings, corpus)
    seconds = train(trainer)
    return ending.finish(trainer, settings, corpus, seconds, before)


if __name__ == "__main__":
    program.run(main)

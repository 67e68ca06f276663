"""What a language-modelling run ends with: its figures, its verdict, its report."""

import csv
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from ...report.figures import of_figures
from ...report.verdict.lines import lines
from ...run import lora
from ...run.console import say, say_how_to_try
from ...run.finish import save_and_report
from ...training import XfmrTrainer
from ...writing import whole
from . import verdict
from .data import LanguageModelingData
from .metrics import Document, Losses, evaluate_answers, evaluate_in_detail
from .run import ModelSettings
from .sampling import answered, continuation, prompt

Measured = tuple[dict[str, float], Losses]  # the figures of a split, and the losses they are made of


def start(trainer: XfmrTrainer, settings: ModelSettings, corpus: LanguageModelingData) -> Losses | None:
    """What a checkpoint's model makes of the answers that it will be measured on, before it is trained on such; None:
    they are not conversations, none is held out, or the model is made from scratch."""
    split = next((one for one in reversed(list(corpus.documents)) if one != "train"), None)
    if corpus.template is None or split is None or settings.model is None:
        return None
    model = lora.within(trainer.accelerator.unwrap_model(trainer.model))
    return measured(model, settings, corpus, split, trainer.args.per_device_eval_batch_size)[1]


def measured(model, settings: ModelSettings, corpus: LanguageModelingData, split: str, batch_size: int) -> Measured:
    """The figures of a split's texts, or of its answers, and the losses they are made of."""
    if corpus.template is not None:
        return evaluate_answers(model, corpus.examples(split), window=corpus.block_size, batch_size=batch_size)
    return evaluate_in_detail(
        model,
        corpus.tokenizer,
        corpus.documents[split],
        window=corpus.block_size,
        stride=settings.stride,
        batch_size=batch_size,
    )


def held_out(trainer: XfmrTrainer, settings: ModelSettings, corpus: LanguageModelingData) -> dict[str, Measured]:
    """What the trained model makes of each split but train."""
    model, size = lora.within(trainer.accelerator.unwrap_model(trainer.model)), trainer.args.per_device_eval_batch_size
    return {split: measured(model, settings, corpus, split, size) for split in corpus.documents if split != "train"}


def finish(
    trainer: XfmrTrainer,
    settings: ModelSettings,
    corpus: LanguageModelingData,
    seconds: float,
    before: Losses | None,
    found: Mapping[str, Measured] | None = None,
    **more,
) -> dict[str, dict[str, float]]:
    """Evaluate validation and test, print the result, and save model and report; `before` is what `start` gave, `found`
    what `held_out` did, where that was asked already, and `more` goes into the record. Returns the metrics of each
    split."""
    args, logs = trainer.args, trainer.state.log_history
    model = lora.within(trainer.accelerator.unwrap_model(trainer.model))
    results: dict[str, dict[str, float]] = {}
    losses: Losses | None = None  # of the last split: test, if there is one
    folder = Path(str(args.output_dir))
    found = held_out(trainer, settings, corpus) if found is None else found
    for split, (results[split], losses) in found.items():
        if trainer.is_world_process_zero():
            _write(folder / f"documents-{split}.csv", losses.documents)
    samples: list[dict] = [
        {name: log[name] for name in ("step", "prompt", "sample")} for log in logs if "sample" in log
    ]
    step = trainer.state.global_step
    if settings.sample_every and not (samples and samples[-1]["step"] == step):
        read, added = continuation(model, corpus.tokenizer, prompt(settings.sample_prompt, corpus), seed=args.seed)
        samples.append({"step": step, "prompt": read, "sample": added})
    shown = next(reversed(results), None)
    written = [one["sample"] for one in samples]
    answers = answered(model, corpus, shown) if corpus.template is not None and shown is not None else []
    written += [one["written"] for one in answers]
    judged = verdict.of_run(corpus, shown, losses, model.config.vocab_size, written, logs, args.to_dict(), before)
    say(*lines(judged))
    speeds = [log["tokens_per_second"] for log in logs if "tokens_per_second" in log]
    speed = f", {median(speeds):,.0f} tokens/s" if speeds else ""
    say(f"trained in {seconds:.0f} s, on {trainer.state.num_input_tokens_seen:,} tokens{speed}")
    for split, figures in results.items():
        say(f"{split}, {figures['tokens']:,} tokens:", *of_figures(figures))
    save_and_report(
        trainer,
        settings,
        tokenizer=corpus.tokenizer,
        metrics=results,
        seconds=seconds,
        data=corpus.report,
        loss_by_position=losses.by_position if losses else [],
        samples=samples,
        completions=answers,
        verdict=judged,
        **more,
    )
    if answers:
        say_how_to_try("generate", str(folder), answers[0]["prompt"], "--template")
    else:
        say_how_to_try("generate", str(folder), prompt(settings.sample_prompt, corpus))
    return results


def _write(path: Path, documents: list[Document]) -> None:
    """What each document cost, for `python -m hf_xfmr compare`."""
    with whole(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Document._fields)
        writer.writerows(documents)

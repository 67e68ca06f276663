"""The model that answers, and rows through it."""

from typing import TYPE_CHECKING

from .row import Row

if TYPE_CHECKING:
    from ..tasks.task import Predictor


def load(
    name: str,
    temperature: float | None = None,
    all_probabilities: bool = False,
    engine: str | None = None,
    abstain_below: float | None = None,
    bf16: bool = False,
) -> "Predictor":
    """What reads texts with the model in a run's folder, an exported one or on the Hub, whatever its task. `engine`
    computes it; None: what the folder is for. `bf16`: in bfloat16, which PyTorch alone does."""
    from ..tasks.task import task_of

    options: dict = {"temperature": temperature, "all_probabilities": all_probabilities, "abstain_below": abstain_below}
    predictor = task_of(name, "predict", engine).predictor(name, engine=engine, bf16=bf16, **options)
    assert predictor is not None
    return predictor


def answer(predictor: "Predictor", rows: list[Row], batch_size: int) -> list[dict]:
    """{"id", "text", ...} for each row, in their order; what can't be read or answered gets an "error"."""
    from ..machine import give_back_memory  # heavy
    from ..tokenizer.long_texts import TooLong

    good = [row for row in rows if not row.fault]
    texts, pairs = [row.text for row in good], [row.pair for row in good if row.pair is not None]
    found = predictor(texts, pairs or None, batch_size=batch_size) if good else iter(())
    answers = []
    try:
        for row in rows:
            given = {"text": row.text} | ({} if row.pair is None else {"text_pair": row.pair})
            answers.append({"id": row.id, **given, **({"error": row.fault} if row.fault else next(found))})
    except TooLong as error:  # of the one row, which the others need not pay for
        fault = str(error)
        return answer(
            predictor,
            [
                row._replace(fault=fault) if not row.fault and error.text in (row.text, row.pair) else row
                for row in rows
            ],
            batch_size,
        )
    give_back_memory()
    return answers

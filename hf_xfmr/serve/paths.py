"""What may be asked of each kind of model, and in which words; /openapi.json shows the same."""

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field, WithJsonSchema

from ..tasks.classification import left_out
from ..tasks.classification import words as words_of
from . import asking
from .asking import answers_to
from .batcher import Batcher
from .limits import Limits
from .subjects import Asked, Predicting, Subject, Text

TEXT: dict[str, Any] = {"type": "string"}
TEXTS: dict[str, Any] = {"type": "array", "items": TEXT}
PREDICTED = {"oneOf": [TEXT, {**TEXTS, "minItems": 1, "maxItems": 2}, {"type": "array", "items": TEXTS}]}
Inputs = Annotated[Any, WithJsonSchema({**PREDICTED, "description": asking.FORMS, "examples": ["I like you."]})]
Texts = Annotated[Any, WithJsonSchema({"oneOf": [TEXT, TEXTS], "description": "a text, or a list of texts"})]


class Predict(BaseModel):
    """A request in the schema of text-embeddings-inference."""

    inputs: Inputs
    raw_scores: bool = Field(False, description="scores before softmax or sigmoid")
    truncate: bool | None = Field(
        None, description="false: refuse a text that the model does not read whole; else it is read as in training"
    )


class Classify(BaseModel):
    inputs: Inputs


class Question(BaseModel):
    question: str
    context: str


class Questions(BaseModel):
    """A request in the schema of the Hub's inference for question answering."""

    inputs: Question | Annotated[list[Question], Field(min_length=1)]


class Many(BaseModel):
    inputs: Texts


class Fill(BaseModel):
    inputs: Texts
    top_k: int = Field(5, ge=1, le=100, description="tokens to show for each mask")


def router(subject: Subject, batcher: Batcher, limits: Limits) -> APIRouter:
    """The paths of a model, by what it is for. Those of `generate` are in completions.py."""
    routes = APIRouter(tags=[subject.command])
    if isinstance(subject, Predicting):
        add = _tag if subject.finds_entities else _answer if subject.answers_questions else _classify
        add(routes, subject, batcher, limits)
    elif subject.command == "fill":

        @routes.post("/fill", summary="Fill in masked words; answers as `hf_xfmr fill` has them")
        async def fill(asked: Fill) -> Any:
            rows, is_batch = asking.texts_of(asked.inputs, limits)
            answers = await answers_to(batcher, rows, Asked(top_k=asked.top_k))
            return answers if is_batch else answers[0]

    elif subject.command == "translate":

        @routes.post("/translate", summary="Translate: {translation_text}, or a list of them")
        async def translate(asked: Many) -> Any:
            rows, is_batch = asking.texts_of(asked.inputs, limits)
            answers = await answers_to(batcher, rows, Asked())
            return answers if is_batch else answers[0]

    return routes


def _tag(routes: APIRouter, subject: Predicting, batcher: Batcher, limits: Limits) -> None:
    @routes.post("/tag", summary="Find entities; answers as `hf_xfmr predict` has them")
    async def tag(asked: Many) -> Any:
        rows, is_batch = asking.texts_of(asked.inputs, limits)
        answers = await answers_to(batcher, rows, Asked())
        return answers if is_batch else answers[0]


def _answer(routes: APIRouter, subject: Predicting, batcher: Batcher, limits: Limits) -> None:
    @routes.post("/answer", summary="Answer questions by a part of their context, as `hf_xfmr predict` does")
    async def answer(asked: Questions) -> Any:
        is_batch = isinstance(asked.inputs, list)
        given: list[Question] = asked.inputs if isinstance(asked.inputs, list) else [asked.inputs]
        rows = [Text(one.question, one.context) for one in given]
        asking.check(rows, limits)
        answers = await answers_to(batcher, rows, Asked(pairs=True))
        return answers if is_batch else answers[0]


def _classify(routes: APIRouter, subject: Predicting, batcher: Batcher, limits: Limits) -> None:
    def checked(inputs: Any) -> tuple[list, bool, bool]:
        rows, is_batch = asking.rows_of(inputs, limits)
        pairs = rows[0].pair is not None
        if subject.reads_pairs is not None and subject.reads_pairs != pairs:
            wanted, given = ("pairs of texts", "a single text") if subject.reads_pairs else ("single texts", "a pair")
            hint = "" if subject.reads_pairs else "; several texts are a batch: [[text], [text]]"
            raise asking.refusals.invalid(f"the model reads {wanted}, and `inputs` has {given}{hint}")
        return rows, pairs, is_batch

    @routes.post("/predict", summary="Labels and scores, in the schema of text-embeddings-inference")
    async def predict(asked: Predict) -> Any:
        rows, pairs, is_batch = checked(asked.inputs)
        how = Asked(pairs=pairs, raw=asked.raw_scores, whole=asked.truncate is False)
        answers = [scored(answer) for answer in await answers_to(batcher, rows, how)]
        return answers if is_batch else answers[0]

    @routes.post("/classify", summary="Answers as `hf_xfmr predict` has them, decisions and all")
    async def classify(asked: Classify) -> Any:
        rows, pairs, is_batch = checked(asked.inputs)
        answers = await answers_to(batcher, rows, Asked(pairs=pairs))
        return answers if is_batch else answers[0]

    @routes.post("/words", summary="What leaving out each word of one text would change")
    async def words(asked: Classify) -> Any:
        rows, pairs, is_batch = checked(asked.inputs)
        if is_batch:
            raise asking.refusals.invalid("`inputs` must be one text, or one pair")
        most = min(words_of.MOST, limits.max_texts, limits.max_queue - 1)
        spans = await run_in_threadpool(words_of.spans_of, rows[0], most)  # the first Chinese text loads a dictionary
        every = [rows[0], *(left_out.without(rows[0], span) for span in spans)]
        answer, *others = await answers_to(batcher, every, Asked(pairs=pairs))
        shares = left_out.changes(answer, others)
        found = [{**span._asdict(), "change": share} for span, share in zip(spans, shares, strict=True)]
        return {"answer": answer, "words": found}


def scored(answer: dict) -> list[dict]:
    """An answer as text-embeddings-inference writes it: the highest score first."""
    if "value" in answer:
        return [{"label": "value", "score": answer["value"]}]
    shares = answer["scores"] if "scores" in answer else answer["probabilities"]
    return [{"label": name, "score": shares[name]} for name in sorted(shares, key=lambda name: -shares[name])]

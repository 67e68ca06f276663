"""More of the table of attacks: questions, contexts and answers that are odd."""

import json
from collections.abc import Iterator

from place import Case, Place

GOOD = {"question": "good film?", "context": "the cat bad film", "answer": "cat"}
DEEP = "[" * 70 + "1" + "]" * 70
LONG = "good " * 30


def squad(**paragraph: object) -> str:
    asked = {"id": "1", "question": "good film?", "answers": [{"text": "cat", "answer_start": 4}]}
    whole = {"context": "the cat bad film", "qas": [asked], **paragraph}
    return json.dumps({"version": "v2.0", "data": [{"title": "t", "paragraphs": [whole]}]})


def qas(**asked: object) -> str:
    answers = [{"text": "cat", "answer_start": 4}]
    return squad(qas=[{"id": "1", "question": "good film?", "answers": answers, **asked}])


def questions() -> Iterator[Case]:
    def rows(name: str, *changes: dict, says: str, **flags: str) -> Case:
        more = [{"context": f"the cat bad film {number}"} for number in range(60)]
        lines = [json.dumps({**GOOD, **change}, ensure_ascii=False) for change in (*changes, *more)]
        text = "".join(f"{line}\n" for line in lines)

        def made(p: Place) -> list:
            return p.recipe("answer_bert", dataset=p.write("d.jsonl", text), **flags)

        return Case("questions", name, made, says)

    yield rows("an answer that is nowhere", {"answer": "dog"}, says='train row 0 .*"dog" does not stand in the context')
    yield rows("an answer at several places", {"context": "cat cat"}, says=r"2 places of the context \(0, 4\)")
    yield rows("an answer at a wrong place", {"answer_start": 3}, says=r'answer_start 3 stands " ca".* which is at 4')
    yield rows("a place far beyond", {"answer_start": 10**18}, says='stands ""')
    yield rows("a place below 0", {"answer_start": -7}, says="no number of characters from 0")
    yield rows("a place that is none", {"answer_start": "x\x1b]0;owned"}, says="no number of characters from 0")
    yield rows("a context that is none", {"context": None}, says="its context is empty")
    yield rows("a question of white space", {"question": " \u3000"}, says="its question is empty")
    yield rows("an answer of white space", {"answer": " "}, says="white space alone")
    yield rows("half a character", {"context": "the cat \ud800"}, says="surrogate|half a character|UTF-8")
    yield rows("a question longer than a row", {"question": LONG}, says="the question has 30 tokens, more than half")
    yield rows("a question of no token", {"question": "\u0300"}, says="no token that the tokenizer knows")
    yield rows(
        "an overlap as long as a row",
        {"context": f"cat {LONG}"},
        says="window_stride 14 is no less",
        window_stride="14",
    )
    yield rows("a row of nothing", says="max_length 3 leaves no room", max_length="3")
    yield rows("answers of no token", says="max_answer_length", max_answer_length="0")
    for name, (text, says) in {
        "no list of questions": (squad(qas={"a": 1}), "no list qas of questions"),
        "questions nested deep": (squad(qas=json.loads(DEEP)), "nested too deep|nested|no list qas|object"),
        "questions that are numbers": (squad(qas=[1, 2]), "no list qas of questions"),
        "a context of numbers": (squad(context=[1]), "its context is no text"),
        "answers that contradict": (qas(is_impossible=True), "is_impossible says that there is no answer"),
        "answers that lack": (qas(answers=[], is_impossible=False), "is_impossible says that there is an answer"),
        "answers of another kind": (qas(answers=[{"text": ["cat"], "answer_start": {}}]), "answer|text"),
        "an answer without a text": (qas(answers=[{"answer_start": 4}]), "one of its answers has no text"),
    }.items():

        def made(p: Place, text: str = text) -> list:
            return p.recipe("answer_bert", dataset=p.write("d.json", text))

        yield Case("questions", name, made, says)
    for name, words, says in (
        ("texts alone", ["good"], "was given texts alone: give --question and --context"),
        ("a question alone", ["--question", "good?"], "--question and --context go together"),
        ("texts too", ["a", "--question", "good?", "--context", "b"], "leave one of them out"),
        ("a context of nothing", ["--question", "good?", "--context", ""], "no text"),
        ("too long", ["--question", LONG, "--context", LONG], "the question has 30 tokens"),
        (
            "a temperature",
            ["--question", "a", "--context", "b", "--temperature", "2"],
            "is for classifiers",
        ),
    ):
        yield Case("questions", f"predict: {name}", lambda p, w=words: ["predict", p.use("answers"), *w], says)
    yield Case(
        "questions",
        "a threshold that is none",
        lambda p: ["predict", p.config("answers", no_answer_threshold="x"), "--question", "a", "--context", "b"],
        "no_answer_threshold in its config.json is no number",
    )
    yield Case("questions", "why", lambda p: ["why", p.use("answers"), "good"], "why explains classifiers alone")

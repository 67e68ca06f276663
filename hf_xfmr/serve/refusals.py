"""What a request is answered that can't be: a status, one sentence, and the word for its kind that clients know.

The kinds are those of text-embeddings-inference: Validation, Tokenizer, Overloaded, Backend, Unhealthy.
"""


class Refusal(Exception):
    """Answered with `status`, {"error": its sentence, "error_type": `kind`} and, of 503, Retry-After: `seconds`."""

    def __init__(self, status: int, sentence: str, kind: str = "Validation", seconds: int | None = None):
        super().__init__(sentence)
        self.status, self.sentence, self.kind, self.seconds = status, sentence, kind, seconds

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.seconds is None else {"Retry-After": str(self.seconds)}

    def body(self) -> dict:
        return {"error": self.sentence, "error_type": self.kind}


def invalid(sentence: str) -> Refusal:
    """The request says something that can't be."""
    return Refusal(422, sentence)


def too_much(sentence: str) -> Refusal:
    """The request is larger than one may be."""
    return Refusal(413, sentence)


def full(seconds: int) -> Refusal:
    return Refusal(503, "as many texts wait as may; try again later", "Overloaded", seconds)


def not_ready(why: str) -> Refusal:
    return Refusal(503, why, "Unhealthy", 1)


def timed_out(seconds: float) -> Refusal:
    return Refusal(504, f"no answer within {seconds:g} seconds", "Overloaded")


def broken(what: str) -> Refusal:
    """The model, or this program, failed."""
    return Refusal(500, what, "Backend")

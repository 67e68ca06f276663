"""Why a classifier answered so: the words that decided, as lines, JSON or a picture.

| file         | what is in it                                            |
|--------------|----------------------------------------------------------|
| `answer.py`  | the shares of the words, by gradients or by leaving out  |
| `said.py`    | what is said of them                                     |
| `drawn.py`   | the picture, and the text with its words marked          |

The methods themselves are the classification's: `tasks/classification/gradients.py` and `left_out.py`.
"""

from pathlib import Path

from .answer import METHODS, Why, explained

__all__ = ["METHODS", "Why", "explained", "why"]


def why(
    model: str,
    text: str,
    text_pair: str | None = None,
    *,
    label: str | None = None,
    method: str | None = None,
    engine: str | None = None,
    language: str = "en",
    out: str | Path | None = None,
) -> list[str]:
    """Explain the answer to a text, or a pair, and write the explanation to `out` (.json, .html, .svg, .png or .pdf) if
    given. Returns what is to be said. Raises `UserError` as `explained`, and for a path that can't be written."""
    from . import drawn, said

    path = drawn.checked(out)
    found = explained(model, text, text_pair, label=label, method=method, engine=engine)
    lines = said.lines(found)
    return lines if path is None else [*lines, *drawn.write(found, path, language)]

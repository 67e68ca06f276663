"""A run's report in a notebook."""

import html
from pathlib import Path

from ..errors import UserError

HEIGHT = 700  # pixels of the page that a notebook shows at a time


class Report:
    """`report.html` of a run, at `path`. In a notebook the page itself, in a frame of its own: neither's styles reach
    the other. As a text, what the run says of itself and where the page is."""

    def __init__(self, path: Path, text: str):
        self.path, self.text = path, text

    def _repr_html_(self) -> str:
        try:
            page = self.path.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(f"{self.path} can't be read ({error.strerror}): run the same call again") from None
        frame = f'width="100%" height="{HEIGHT}" style="border: 0" title="report"'
        return f'<iframe srcdoc="{html.escape(page)}" {frame}></iframe>'

    def __repr__(self) -> str:
        return f"{self.text}\nreport: {self.path}"

    def __fspath__(self) -> str:
        return str(self.path)

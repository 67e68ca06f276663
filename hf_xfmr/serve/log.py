"""What a server writes to standard error: a JSON object a line, and never a word of what it was sent."""

import json
import logging
import sys
import time

FIELDS = "fields"  # of a log record: what stands in its object beside time, level and message


class Json(logging.Formatter):
    """{"time", "level", "message", …}; an exception by its kind and place, for its words may quote a text."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        said = {"time": f"{stamp}.{int(record.msecs):03d}Z", "level": record.levelname.lower()}
        said |= {"message": record.getMessage()} | getattr(record, FIELDS, {})
        if record.exc_info and record.exc_info[1] is not None:
            said |= fault(record.exc_info[1])
        return json.dumps(said, default=str)


def fault(error: BaseException) -> dict[str, str]:
    """The kind of an exception, and where it arose."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    place = "" if at is None else f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}"
    return {"exception": type(error).__name__, "at": place}


def logger() -> logging.Logger:
    """The one logger of a server; uvicorn's own goes the same way, without its line for each request."""
    own = logging.getLogger("hf_xfmr.serve")
    if not own.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(Json())
        for name, level in (("hf_xfmr.serve", logging.INFO), ("uvicorn.error", logging.ERROR)):
            one = logging.getLogger(name)
            one.addHandler(handler)
            one.setLevel(level)
            one.propagate = False
        logging.getLogger("uvicorn.access").propagate = False
    return own


def line(message: str, level: int = logging.INFO, /, **fields: object) -> None:
    logger().log(level, message, extra={FIELDS: fields})

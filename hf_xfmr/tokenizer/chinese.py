"""Where the words of Chinese end: by jieba, an extra."""

from collections.abc import Callable, Iterable
from importlib import metadata


def cutter() -> Callable[[str], Iterable[str]] | None:
    """What makes words of Chinese characters (the first call takes a second); None where jieba is not installed."""
    try:
        import jieba
    except ImportError:
        return None
    jieba.setLogLevel("WARNING")
    return jieba.cut


def version() -> str | None:
    """Of jieba; None where it is not installed."""
    try:
        return metadata.version("jieba")
    except metadata.PackageNotFoundError:
        return None

"""A tokenizer trained on many texts, kept on disk for the next start."""

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType

import sentencepiece
import tokenizers
import xxhash
from tokenizers import Tokenizer

from .. import keeping

LEAST = 1_000_000  # characters from which it takes a second and more to learn


def kept(
    texts: Sequence[str], options: Mapping[str, object], learn: Callable[[], Tokenizer], code: Sequence[ModuleType]
) -> Tokenizer:
    """What `learn`, which is this code, learns of the texts with these options, or what it learned of them before."""
    if sum(map(len, texts)) < LEAST:
        return learn()
    sha = xxhash.xxh3_128()
    for text in texts:
        sha.update(f"{len(text)} ".encode())
        sha.update(text.encode("utf-8", "surrogatepass"))
    facts = {"texts": sha.hexdigest(), "tokenizers": tokenizers.__version__, "learn": sentencepiece.__version__}
    name = keeping.key({**facts, **options}, code) + ".json"
    if (path := keeping.find(name)) is not None:
        try:
            return Tokenizer.from_file(str(path))
        except Exception:  # the library's own, of no kind: the file is damaged
            keeping.drop(name)
    learned = learn()
    keeping.keep(name, lambda aside: learned.save(str(aside)))
    return learned

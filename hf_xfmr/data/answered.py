"""Names of columns that hold what is asked, what is answered, and texts that are neither."""

from collections.abc import Sequence

from .names import TEXTS

ASKS = {"instruction", "instructions", "prompt", "question", "query", "user", "human", "input", "inputs", "context"}
ASKS |= {"指令", "问题", "问", "提问", "输入"}
ANSWERS = {"output", "outputs", "completion", "response", "responses", "answer", "answers", "assistant", "bot", "gpt"}
ANSWERS |= {"reply", "target", "chosen", "solution", "答案", "回答", "答", "输出", "回复"}
SYSTEM = {"system", "system_prompt"}
PLAIN = {*TEXTS, "article", "passage", "paragraph", "story", "poem", "lyrics", "raw_content", "正文", "文章"} - ASKS


def are_answered(names: Sequence[str]) -> bool:
    """Whether columns of these names hold instructions or questions with their answers, or conversations."""
    folded = {name.casefold() for name in names}
    return bool(folded & ASKS and folded & ANSWERS) or bool(folded & {"messages", "conversations", "conversation"})


def is_known(name: str) -> bool:
    """Whether a column is known by its name to hold texts, that of the object above it left out."""
    return name.rsplit(".", 1)[-1].casefold() in PLAIN


def of_names(names: Sequence[str], known: set[str]) -> list[str]:
    """The names of which a part (as of `answers.text`) is known."""
    return [name for name in names if known.intersection(name.casefold().split("."))]

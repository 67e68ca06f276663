"""How a conversation is written for a model: a chat template in Jinja, of the tokenizer, of a file or one of ours.

The answers that a model learns stand between `{% generation %}` and `{% endgeneration %}`, as transformers has it; of a
template without these they are what it writes more for a conversation with the answer than for one that waits for it.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError
from transformers.utils.chat_template_utils import render_jinja_template

from ...data.conversations import ASSISTANT, Conversation
from ...data.word_lists import is_mostly_chinese
from ...errors import UserError
from ...plain import one_line

Messages = Sequence[dict[str, str]]
LOOKED_AT = 1000  # conversations that tell whether they are Chinese


def _headed(system: str, user: str, assistant: str) -> str:
    """Each turn below a heading, a blank line between two, the end-of-text token behind an answer."""
    return (
        "{%- for message in messages %}{% if not loop.first %}{{ '\\n\\n' }}{% endif %}"
        f"{{%- if message.role == 'system' %}}{{{{ '{system}\\n' + message.content }}}}"
        f"{{%- elif message.role == 'user' %}}{{{{ '{user}\\n' + message.content }}}}"
        f"{{%- elif message.role == 'assistant' %}}{{{{ '{assistant}\\n' }}}}"
        "{% generation %}{{ message.content + eos_token }}{% endgeneration %}"
        "{%- else %}{{ raise_exception('a role is ' + message.role + '; it can be system, user or assistant') }}"
        f"{{%- endif %}}{{%- endfor %}}{{%- if add_generation_prompt %}}{{{{ '\\n\\n{assistant}\\n' }}}}{{% endif %}}"
    )


TEMPLATES = {
    "instruction": _headed(
        "### System:", "### Instruction:", "### Response:"
    ),  # as Stanford Alpaca's, without preamble
    "chinese": _headed("### 系统：", "### 指令：", "### 回答："),
    "plain": "{%- for message in messages %}{% if message.role == 'assistant' %}{% generation %}"
    "{{ message.content + eos_token }}{% endgeneration %}{% else %}{{ message.content }}{% endif %}{% endfor %}",
}


class Template:
    """A chat template by its `source` in Jinja; `name` says where it is from."""

    def __init__(self, source: str, name: str):
        self.source, self.name = source, name
        self.marks = "generation" in source.replace("add_generation_prompt", "")

    def render(self, messages: Messages, special: dict[str, Any], *, waits: bool = False) -> str:
        """Messages as one text; with `waits` up to where an answer begins. `special` are a tokenizer's special tokens
        by name. Raises UserError for messages that the template refuses."""
        return self._rendered(messages, special, waits)[0]

    def written(self, conversation: Conversation, special: dict[str, Any]) -> tuple[str, list[tuple[int, int]]]:
        """A conversation as one text, and the characters [start, end) of what is learned of it. Raises UserError where
        the template refuses it, or where it does not tell what is learned."""
        text, spans = self._rendered(conversation.messages, special, False, marked=self.marks)
        spans = spans if self.marks else self._answers(text, conversation.messages, special)
        if not any(start < end for start, end in spans):
            raise UserError(
                f"the chat template of {self.name} writes nothing between {{% generation %}} and {{% endgeneration %}} "
                f'for the conversation "{conversation[:40]}": put them around the assistant\'s turns, or name another '
                f"with --template ({', '.join(TEMPLATES)} or a file)"
            )
        return text, spans

    def _rendered(
        self, messages: Messages, special: dict[str, Any], waits: bool, *, marked: bool = False
    ) -> tuple[str, list[tuple[int, int]]]:
        tokens = {"bos_token": "", "eos_token": "", **special}
        try:
            texts, spans = render_jinja_template(  # type: ignore[str-unpack]
                conversations=[list(messages)],
                chat_template=self.source,
                add_generation_prompt=waits,
                return_assistant_tokens_mask=marked,
                **tokens,
            )
        except TemplateSyntaxError as error:
            raise UserError(
                f"the chat template of {self.name} can't be read as Jinja: line {error.lineno}, {one_line(error)}; "
                "mend it"
            ) from None
        except Exception as error:  # whatever a template of somebody's raises
            raise UserError(
                f"the chat template of {self.name} refuses the conversation "
                f'"{" ".join(messages[0]["content"][:40].split()) if messages else ""}" ({one_line(error)})'
            ) from None
        return str(texts[0]), list(spans[0]) if marked else []  # type: ignore[arg-type]

    def _answers(self, text: str, messages: Messages, special: dict[str, Any]) -> list[tuple[int, int]]:
        """What each answer adds to a text that waits for it."""
        found = []
        for n, message in enumerate(messages):
            if message["role"] != ASSISTANT:
                continue
            before = self.render(messages[:n], special, waits=True)
            through = self.render(messages[: n + 1], special)
            if not (through.startswith(before) and text.startswith(through)):
                raise UserError(
                    f"the chat template of {self.name} writes a conversation otherwise once it has been answered, so "
                    "that what is learned can't be told: put {% generation %} and {% endgeneration %} around the "
                    f"assistant's turns, or name another with --template ({', '.join(TEMPLATES)} or a file)"
                )
            found.append((len(before), len(through)))
        return found


def of_name(name: str) -> Template:
    """One of ours, or that of a file. Raises UserError for neither."""
    if name in TEMPLATES:
        return Template(TEMPLATES[name], f'"{name}"')
    path = Path(name).expanduser()
    if not path.is_file():
        raise UserError(
            f'template is "{name}"; it can be {", ".join(TEMPLATES)} or a file with a chat template in Jinja'
        )
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} can't be read as a chat template ({one_line(error)}); save it as UTF-8") from None
    if "messages" not in source:
        raise UserError(
            f"{path} is no chat template: it says nothing of `messages`, over which one in Jinja loops; begin with "
            "{% for message in messages %}"
        )
    return Template(source, str(path))


def check_writes(template: Template) -> None:
    """Raises UserError for a template that leaves out what is asked, or what is answered, of what it learns: the same
    few words of every conversation would be learned. One that refuses these words is left to the rows."""
    asked, told = "xfmrasks", "xfmrtells"
    probe = Conversation([{"role": "user", "content": asked}, {"role": ASSISTANT, "content": told}])
    try:
        text, spans = template.written(probe, {})
    except UserError:
        return
    learned = "".join(text[start:end] for start, end in spans)
    for word, where, what in ((asked, text, "asked"), (told, learned, "answered")):
        if word not in where.casefold():
            learns = " where it is learned" * (word == told and word in text.casefold())
            raise UserError(
                f"the chat template of {template.name} writes nothing of what is {what}{learns}: put "
                f"{{{{ message.content }}}} there, or name another with --template ({', '.join(TEMPLATES)} or a file)"
            )


def of_tokenizer(tokenizer: Any) -> Template | None:
    """A tokenizer's own, the default one of several."""
    source = getattr(tokenizer, "chat_template", None)
    source = source.get("default") if isinstance(source, dict) else source
    return Template(source, "the tokenizer") if source else None


def for_texts(texts: Iterable[str]) -> Template:
    """One of ours, by the language of the conversations."""
    beginning = "".join(text[:200] for text in islice(texts, LOOKED_AT))
    return of_name("chinese" if is_mostly_chinese(beginning) else "instruction")

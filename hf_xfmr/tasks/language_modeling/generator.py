"""Continue prompts with a causal language model, whatever computes it."""

import copy
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from ... import engines
from ...errors import UserError
from ...run import finite, ranges
from ...tokenizer import long_texts, unknown
from ..task import task_of
from .streaming import Streamed

MAX_NEW_TOKENS = 100
HEAD = "AutoModelForCausalLM"


class Generator:
    """A causal language model and its tokenizer, from a run's folder, an exported one or a Hub name.

    `options` are called as `model.generate` calls them: do_sample, temperature, top_k, top_p, num_beams.
    `max_new_tokens` None: 100, or as many as the model has positions left for. `engine` computes it; None: what the
    folder is for (see `engines.find`).
    """

    def __init__(self, model: str, *, engine: str | None = None, max_new_tokens: int | None = None, **options: Any):
        task_of(model, "generate", engine)
        self.name = model
        self.place = engines.find(model, engine)
        self.tokenizer = engines.tokenizer(self.place)
        self.engine = engines.writer(model, HEAD, engine)
        self.positions = engines.positions(self.engine.config)
        self.max_new_tokens, self.options = max_new_tokens, self._with_padding(options)

    def _with_padding(self, options: dict[str, Any]) -> dict[str, Any]:
        """Texts that have ended are filled up with a token that is not shown."""
        padding = self.tokenizer.pad_token_id
        if padding is None:
            padding = self.tokenizer.eos_token_id
        return {**options, "pad_token_id": padding or 0}

    def told(self, max_new_tokens: int | None, **options) -> "Generator":
        """The same model with other options."""
        other = copy.copy(self)
        other.max_new_tokens, other.options = max_new_tokens, self._with_padding(options)
        return other

    def asked(self, messages: Sequence[dict[str, str]]) -> str:
        """The prompt that messages are by the checkpoint's chat template. Raises `UserError` where it has none."""
        from .templates import of_tokenizer  # transformers, which texts of an exported folder do without

        template = of_tokenizer(self.tokenizer)
        if template is None:
            raise UserError(
                f"{self.name} has no chat template: leave --template out, or give a run of train gpt2 on prompts with "
                "answers"
            )
        template.name = self.name
        return template.render(messages, self.tokenizer.special_tokens_map, waits=True)

    def __call__(
        self, prompts: list[str], say: Callable[[str], object] | None = None, *, alone: bool = False
    ) -> list[str]:
        """Each prompt with its continuation, or that `alone`; of a single one `say` hears the text as it is written.
        Raises `UserError` if that is more than the model has positions for, and for a prompt to which the model gives
        no finite numbers.
        """
        try:
            return self._continued(prompts, say, alone)
        except finite.NotFinite:
            if len(prompts) == 1:
                raise finite.error(self.name, f'"{prompts[0][:40]}"') from None
        for prompt in prompts:  # which of them it is
            self([prompt])
        raise finite.error(self.name, f'one of {len(prompts):,} prompts read together, the first "{prompts[0][:40]}"')

    def _continued(self, prompts: list[str], say: Callable[[str], object] | None, alone: bool) -> list[str]:
        start = self.tokenizer.bos_token or self.tokenizer.eos_token or self.tokenizer.cls_token
        for prompt in prompts:
            if not prompt and start is None:
                raise UserError(
                    f"a prompt is empty, and {self.name} has no token that begins a text: give its first words"
                )
            long_texts.check_length(prompt, self.tokenizer, self.positions)
        given = [prompt or start for prompt in prompts]
        with unknown.naming(given, self.tokenizer):
            encoded = self.tokenizer(given, add_special_tokens=False, verbose=False)["input_ids"]
        rows = [list(ids) for ids in encoded]
        room, wanted = self._room(max(map(len, rows)))
        streamed = None if say is None else Streamed(self.tokenizer, rows[0], say, alone=alone)
        told = None if streamed is None else lambda row, token: bool(streamed(token))  # which ends nothing
        found = self.engine(rows, {**self.options, "max_new_tokens": room}, told)
        if streamed is not None:
            streamed.end()
        if room < wanted:  # said once there is an answer: an error stays the one line
            print(f"max_new_tokens: {room}, all the model has positions for", file=sys.stderr)
        whole = [list(new) if alone else [*row, *new] for row, new in zip(rows, found, strict=True)]
        return self.tokenizer.batch_decode(whole, skip_special_tokens=True)

    def stream(self, prompt: str, *, alone: bool = False) -> None:
        """Print one prompt and its continuation, or that `alone`, as it is written."""
        self([prompt], lambda text: print(text, end="", flush=True), alone=alone)
        print(flush=True)

    def _room(self, prompt: int) -> tuple[int, int]:
        """The tokens that can be added to a prompt of so many, and those that were asked for."""
        left = self.positions - prompt
        wanted = MAX_NEW_TOKENS if self.max_new_tokens is None else self.max_new_tokens
        if left < (1 if self.max_new_tokens is None else wanted):
            raise UserError(
                f"the longest prompt's {prompt:,} tokens and {wanted:,} new ones are more than the {self.positions:,} "
                "positions of the model: shorten the prompt or lower --max_new_tokens"
            )
        return min(wanted, left), wanted


def generate(
    model: "str | Generator",
    prompts: Iterable[str | Sequence[dict[str, str]]],
    *,
    template: bool = False,
    max_new_tokens: int | None = None,
    temperature: float = 0.8,
    top_k: int = 50,
    top_p: float = 1.0,
    num_beams: int = 1,
    seed: int = 0,
    batch_size: int = 16,
    streamed: bool = False,
    engine: str | None = None,
) -> Iterator[dict[str, Any]]:
    """For each prompt {"prompt", "text"}, in their order; `text` begins with the prompt. `model` is a folder, exported
    or not, a Hub name, or a `Generator`, whose own options these replace; `engine` computes it, None: what the folder
    is for. Sampling, unless `temperature` is 0 or there are several beams; the same `seed` gives the same texts.

    With `template` the prompts, which may be lists of messages too, are written by the checkpoint's chat template, and
    `text` is the answer alone.

    `streamed` prints the text of one prompt as it is written (beams can't be), and yields nothing. Raises `UserError`
    for numbers that can't be, and as `Generator`.
    """
    ranges.check(seed=seed, batch_size=batch_size)
    options = _options(max_new_tokens, temperature, top_k, top_p, num_beams)
    generator = Generator(model, engine=engine) if isinstance(model, str) else model
    generator = generator.told(max_new_tokens, **options)
    engines.seed(seed, generator.place.engine)
    rest = iter(prompts)
    if streamed:
        generator.stream(_written(generator, next(rest), template), alone=template)
        return
    while batch := list(islice(rest, batch_size)):
        texts = generator([_written(generator, one, template) for one in batch], alone=template)
        for prompt, text in zip(batch, texts, strict=True):
            yield {"prompt" if isinstance(prompt, str) else "messages": prompt, "text": text}


def _written(generator: Generator, prompt: str | Sequence[dict[str, str]], template: bool) -> str:
    if template:
        return generator.asked([{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt)
    if not isinstance(prompt, str):
        raise UserError("messages are written by the checkpoint's chat template: add --template")
    return prompt


def _options(max_new_tokens: int | None, temperature: float, top_k: int, top_p: float, num_beams: int) -> dict:
    """The numbers as `model.generate` names them. Raises `UserError` for those that can't be."""
    ranges.check(max_new_tokens=max_new_tokens, temperature=temperature, top_k=top_k, top_p=top_p, num_beams=num_beams)
    if temperature < 0:
        raise UserError(f"temperature is {temperature}; it must be at least 0 (0: always the likeliest token)")
    if num_beams > 1 or temperature == 0:
        return {"do_sample": False, "num_beams": num_beams}
    return {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}

"""Continue prompts with a causal language model."""

import copy
import sys
from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TextStreamer, set_seed

from ...errors import UserError
from ...plain import harmless
from ...run import adapted, finite, ranges
from ...tokenizer import long_texts, unknown
from ..task import task_of
from .pack import end_of_text

MAX_NEW_TOKENS = 100


class _Shown(TextStreamer):
    """Nothing of what is written is obeyed by a terminal."""

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        super().on_finalized_text(harmless(text), stream_end)


class Generator:
    """A causal language model and its tokenizer, from one folder or Hub name.

    `options` go to `generate`. `max_new_tokens` None: 100, or as many as the model has positions left for.
    """

    def __init__(self, model: str, *, max_new_tokens: int | None = None, **options):
        task_of(model, "generate")
        self.name = model
        self.tokenizer = adapted.from_pretrained(AutoTokenizer, model, padding_side="left")
        # Padding is masked, so that any token will do. Where none is special, as among nanoGPT's characters, there is
        # none that could be left out of what is written: then prompts are continued one by one.
        self.pads = self.tokenizer.pad_token is not None or self.tokenizer.eos_token is not None
        if self.tokenizer.pad_token is None and self.pads:
            self.tokenizer.pad_token_id = end_of_text(self.tokenizer)
        self.model = adapted.to_use(AutoModelForCausalLM, model)
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")
        self.max_new_tokens = max_new_tokens
        self.options = {**options, "pad_token_id": self.tokenizer.pad_token_id}

    def told(self, max_new_tokens: int | None, **options) -> "Generator":
        """The same model with other options."""
        other = copy.copy(self)
        other.max_new_tokens, other.options = max_new_tokens, {**options, "pad_token_id": self.tokenizer.pad_token_id}
        return other

    @torch.inference_mode()
    def __call__(self, prompts: list[str], streamer: TextStreamer | None = None) -> list[str]:
        """Each prompt with its continuation. Raises `UserError` if that is more than the model has positions for, and
        for a prompt to which the model gives no finite numbers."""
        try:
            with finite.watched(self.model):
                return self._continued(prompts, streamer)
        except finite.NotFinite:
            if len(prompts) == 1:
                raise finite.error(self.name, f'"{prompts[0][:40]}"') from None
        for prompt in prompts:  # which of them it is
            self([prompt])
        raise finite.error(self.name, f'one of {len(prompts):,} prompts read together, the first "{prompts[0][:40]}"')

    def _continued(self, prompts: list[str], streamer: TextStreamer | None) -> list[str]:
        if not self.pads and len(prompts) > 1:
            return [self._continued([prompt], streamer)[0] for prompt in prompts]
        start = self.tokenizer.bos_token or self.tokenizer.eos_token or self.tokenizer.cls_token
        for prompt in prompts:
            if not prompt and start is None:
                raise UserError(
                    f"a prompt is empty, and {self.name} has no token that begins a text: give its first words"
                )
            long_texts.check_length(prompt, self.tokenizer, self.model.config.max_position_embeddings)
        texts = [prompt or start for prompt in prompts]
        with unknown.naming(texts, self.tokenizer):
            inputs = self.tokenizer(texts, add_special_tokens=False, padding=self.pads, return_tensors="pt")
        inputs = inputs.to(self.model.device)
        room, wanted = self._room(inputs["input_ids"].shape[1])
        ids = self.model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=room,
            streamer=streamer,
            **self.options,
        )
        if room < wanted:  # said once there is an answer: an error stays the one line
            print(f"max_new_tokens: {room}, all the model has positions for", file=sys.stderr)
        return self.tokenizer.batch_decode(ids, skip_special_tokens=True)

    def stream(self, prompt: str) -> None:
        """Print one prompt and its continuation as it is written."""
        self([prompt], _Shown(self.tokenizer, skip_special_tokens=True))

    def _room(self, prompt: int) -> tuple[int, int]:
        """The tokens that can be added to a prompt of so many, and those that were asked for."""
        positions = self.model.config.max_position_embeddings
        left = positions - prompt
        wanted = MAX_NEW_TOKENS if self.max_new_tokens is None else self.max_new_tokens
        if left < (1 if self.max_new_tokens is None else wanted):
            raise UserError(
                f"the longest prompt's {prompt:,} tokens and {wanted:,} new ones are more than the {positions:,} "
                "positions of the model: shorten the prompt or lower --max_new_tokens"
            )
        return min(wanted, left), wanted


def generate(
    model: "str | Generator",
    prompts: Iterable[str],
    *,
    max_new_tokens: int | None = None,
    temperature: float = 0.8,
    top_k: int = 50,
    top_p: float = 1.0,
    num_beams: int = 1,
    seed: int = 0,
    batch_size: int = 16,
    streamed: bool = False,
) -> Iterator[dict[str, str]]:
    """For each prompt {"prompt", "text"}, in their order; `text` begins with the prompt. `model` is a folder, a Hub
    name, or a `Generator`, whose own options these replace. Sampling, unless `temperature` is 0 or there are several
    beams; the same `seed` gives the same texts.

    `streamed` prints the text of one prompt as it is written (beams can't be), and yields nothing. Raises `UserError`
    for numbers that can't be, and as `Generator`.
    """
    ranges.check(seed=seed, batch_size=batch_size)
    options = _options(max_new_tokens, temperature, top_k, top_p, num_beams)
    generator = (Generator(model) if isinstance(model, str) else model).told(max_new_tokens, **options)
    set_seed(seed)
    rest = iter(prompts)
    if streamed:
        generator.stream(next(rest))
        return
    while batch := list(islice(rest, batch_size)):
        yield from ({"prompt": p, "text": text} for p, text in zip(batch, generator(batch), strict=True))


def _options(max_new_tokens: int | None, temperature: float, top_k: int, top_p: float, num_beams: int) -> dict:
    """The numbers as `model.generate` names them. Raises `UserError` for those that can't be."""
    ranges.check(max_new_tokens=max_new_tokens, temperature=temperature, top_k=top_k, top_p=top_p, num_beams=num_beams)
    if temperature < 0:
        raise UserError(f"temperature is {temperature}; it must be at least 0 (0: always the likeliest token)")
    if num_beams > 1 or temperature == 0:
        return {"do_sample": False, "num_beams": num_beams}
    return {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}

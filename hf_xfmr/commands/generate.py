"""Continue prompts with a language model: one prompt as it is written, several as one JSON line each, in their order.

Prompts are the arguments, or the lines of a file. Batches are padded on the left by the command itself.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TextStreamer, set_seed

from .. import recipe
from ..data.pack import end_of_text
from ..data.text_files import lines
from ..errors import UserError

MAX_NEW_TOKENS = 100


class Generator:
    """A causal language model and its tokenizer, from one folder or Hub name.

    `options` go to `generate`. `max_new_tokens` None: 100, or as many as the model has positions left for.
    """

    def __init__(self, model: str, *, max_new_tokens: int | None = None, **options):
        self.tokenizer = recipe.from_pretrained(AutoTokenizer, model, padding_side="left")
        if self.tokenizer.pad_token is None:  # it is masked, so that any will do
            self.tokenizer.pad_token_id = end_of_text(self.tokenizer)
        self.model = recipe.from_pretrained(AutoModelForCausalLM, model).eval()
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")
        self.max_new_tokens = max_new_tokens
        self.options = {**options, "pad_token_id": self.tokenizer.pad_token_id}

    @torch.inference_mode()
    def __call__(self, prompts: list[str], streamer: TextStreamer | None = None) -> list[str]:
        """Each prompt with its continuation. Raises `UserError` if that is more than the model has positions for."""
        start = self.tokenizer.bos_token or self.tokenizer.eos_token
        inputs = self.tokenizer(
            [prompt or start for prompt in prompts], add_special_tokens=False, padding=True, return_tensors="pt"
        ).to(self.model.device)
        ids = self.model.generate(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=self._room(inputs["input_ids"].shape[1]),
            streamer=streamer,
            **self.options,
        )
        return self.tokenizer.batch_decode(ids, skip_special_tokens=True)

    def stream(self, prompt: str) -> None:
        """Print one prompt and its continuation as it is written."""
        self([prompt], TextStreamer(self.tokenizer, skip_special_tokens=True))

    def _room(self, prompt: int) -> int:
        positions = self.model.config.max_position_embeddings
        left = positions - prompt
        wanted = MAX_NEW_TOKENS if self.max_new_tokens is None else self.max_new_tokens
        if left < (1 if self.max_new_tokens is None else wanted):
            raise UserError(
                f"the longest prompt's {prompt:,} tokens and {wanted:,} new ones are more than the {positions:,} "
                "positions of the model: shorten the prompt or lower --max_new_tokens"
            )
        if left < wanted:
            print(f"max_new_tokens: {left}, all the model has positions for", file=sys.stderr)
        return min(wanted, left)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run's folder, or a model on the Hub")
    parser.add_argument("prompts", nargs="*", help="texts to continue")
    parser.add_argument("--file", type=Path, help="a text file with a prompt on each line; empty lines are no prompts")
    parser.add_argument("--max_new_tokens", type=int, help=f"tokens to add at most (default: {MAX_NEW_TOKENS})")
    parser.add_argument("--temperature", type=float, default=0.8, help="0: always the likeliest token (default: 0.8)")
    parser.add_argument("--top_k", type=int, default=50, help="sample among so many tokens, 0: all (default: 50)")
    parser.add_argument(
        "--top_p", type=float, default=1.0, help="sample among the likeliest of this share (default: 1)"
    )
    parser.add_argument("--num_beams", type=int, default=1, help="beam search with so many beams, without sampling")
    parser.add_argument("--seed", type=int, default=0, help="of the sampling: the same one gives the same texts")
    parser.add_argument("--batch_size", type=int, default=16, help="prompts computed at a time (default: 16)")


def run(arguments: argparse.Namespace) -> None:
    prompts = list(_prompts(arguments))
    if not prompts:
        raise UserError("no prompts: give them as arguments, or --file with one on each line")
    generator = Generator(arguments.model, max_new_tokens=arguments.max_new_tokens, **_options(arguments))
    set_seed(arguments.seed)
    if len(prompts) == 1 and arguments.num_beams == 1:
        generator.stream(prompts[0])
        return
    rest = iter(prompts)
    while batch := list(islice(rest, arguments.batch_size)):
        for prompt, text in zip(batch, generator(batch), strict=True):
            print(json.dumps({"prompt": prompt, "text": text}, ensure_ascii=False), flush=True)


def _prompts(arguments: argparse.Namespace) -> Iterator[str]:
    yield from arguments.prompts
    if arguments.file is None:
        return
    if not arguments.file.is_file():
        raise UserError(f"{arguments.file}: no such file of prompts")
    yield from (line for line in lines(arguments.file) if line.strip())


def _options(arguments: argparse.Namespace) -> dict:
    """The arguments as `generate` names them. Raises `UserError` for numbers that can't be."""
    if arguments.max_new_tokens is not None and arguments.max_new_tokens < 1:
        raise UserError(f"max_new_tokens is {arguments.max_new_tokens}; it is at least 1")
    if arguments.temperature < 0 or arguments.top_k < 0 or not 0 < arguments.top_p <= 1 or arguments.num_beams < 1:
        raise UserError("temperature and top_k are at least 0, top_p is above 0 and at most 1, num_beams at least 1")
    if arguments.num_beams > 1 or arguments.temperature == 0:
        return {"do_sample": False, "num_beams": arguments.num_beams}
    return {
        "do_sample": True,
        "temperature": arguments.temperature,
        "top_k": arguments.top_k,
        "top_p": arguments.top_p,
    }

"""Continue prompts with a language model: one prompt as it is written, several as one JSON line each, in their order.

Prompts are the arguments, or the lines of a file. Batches are padded on the left by the command itself.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from ..engines import ENGINES
from ..errors import UserError
from ..plain import json_line
from .texts import readable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run's folder, one that export wrote, or a model on the Hub")
    parser.add_argument("prompts", nargs="*", help="texts to continue")
    parser.add_argument(
        "--file",
        type=Path,
        help='a text file with a prompt on each line; with --template also .jsonl with a "prompt" or "messages" each',
    )
    parser.add_argument(
        "--template",
        action="store_true",
        help="write each prompt by the checkpoint's chat template, as a run on instructions has learned it, and give "
        "the answer alone",
    )
    parser.add_argument("--max_new_tokens", type=int, help="tokens to add at most (default: 100)")
    parser.add_argument("--temperature", type=float, default=0.8, help="0: always the likeliest token (default: 0.8)")
    parser.add_argument("--top_k", type=int, default=50, help="sample among so many tokens, 0: all (default: 50)")
    parser.add_argument(
        "--top_p", type=float, default=1.0, help="sample among the likeliest of this share (default: 1)"
    )
    parser.add_argument("--num_beams", type=int, default=1, help="beam search with so many beams, without sampling")
    parser.add_argument("--seed", type=int, default=0, help="of the sampling: the same one gives the same texts")
    parser.add_argument("--batch_size", type=int, default=16, help="prompts computed at a time (default: 16)")
    parser.add_argument(
        "--engine", choices=ENGINES, help="what computes (default: what the folder is for, a run's: torch)"
    )


def run(arguments: argparse.Namespace) -> None:
    from ..tasks.language_modeling.generator import generate

    prompts = list(_prompts(arguments))
    if not prompts:
        raise UserError("no prompts: give them as arguments, or --file with one on each line")
    answers = generate(
        arguments.model,
        prompts,
        template=arguments.template,
        max_new_tokens=arguments.max_new_tokens,
        engine=arguments.engine,
        temperature=arguments.temperature,
        top_k=arguments.top_k,
        top_p=arguments.top_p,
        num_beams=arguments.num_beams,
        seed=arguments.seed,
        batch_size=arguments.batch_size,
        streamed=len(prompts) == 1 and arguments.num_beams == 1,
    )
    for answer in answers:
        print(json_line(answer), flush=True)


def _prompts(arguments: argparse.Namespace) -> Iterator[str | list[dict[str, str]]]:
    yield from readable(arguments.prompts)
    if arguments.file is None:
        return
    from ..data.regular import check_regular
    from ..data.text_files import lines

    check_regular(arguments.file, "file of prompts")
    given = (line for line in lines(arguments.file) if line.strip())
    if not arguments.template or arguments.file.suffix.lower() not in (".jsonl", ".ndjson"):
        yield from given
        return
    for number, line in enumerate(given, 1):
        try:
            asked = json.loads(line)
            yield asked["prompt"] if "prompt" in asked else _messages(asked["messages"])
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f'{arguments.file}: line {number} is neither {{"prompt": "..."}} nor {{"messages": [{{"role": "user", '
                '"content": "..."}, ...]}: mend it'
            ) from None


def _messages(given: list[dict[str, str]]) -> list[dict[str, str]]:
    """As they stand. Raises `TypeError` or `KeyError` for what are none."""
    found = [{"role": one["role"], "content": one["content"]} for one in given]
    if not found or not all(isinstance(value, str) for one in found for value in one.values()):
        raise TypeError
    return found

"""What a language model writes while it is trained, and at its end."""

from itertools import islice

import torch
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase, TrainerCallback

from ...data.conversations import Conversation
from ...plain import harmless
from ...run import lora
from ...training.many_processes import in_parts, is_spread
from .data import LanguageModelingData

SAMPLE_TOKENS = 100
PROMPT_CHARACTERS = 16
ANSWERED = 10  # held-out prompts that a report shows the answers to


class SampleCallback(TrainerCallback):
    """Every so many steps, prints how the model continues a prompt, and enters it in the log. Training's random numbers
    stay as they would be without. Where no process holds the whole model, all write the same, and one prints it."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, prompt: str, every: int):
        self.tokenizer, self.prompt, self.every = tokenizer, prompt, every

    def on_step_end(self, args, state, control, model=None, **kwargs):
        is_main = state.is_world_process_zero
        if state.global_step % self.every or not (is_main or is_spread(model)):
            return
        prompt, added = continuation(lora.within(model), self.tokenizer, self.prompt, seed=args.seed)
        if not is_main:
            return
        state.log_history.append({"step": state.global_step, "prompt": prompt, "sample": added})
        tqdm.write(f"sample at step {state.global_step:,}: {on_one_line(prompt)} | {on_one_line(added)}")


def on_one_line(text: str) -> str:
    """For a log: line breaks as they are written in code, and nothing that a terminal obeys."""
    return harmless(text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t"), kept="")


def continuation(model, tokenizer: PreTrainedTokenizerBase, prompt: str, *, seed: int) -> tuple[str, str]:
    """The prompt as the model read it, and what it, sampling among the 50 likeliest tokens, adds to it."""
    ids = tokenizer(prompt, add_special_tokens=False).input_ids or [tokenizer.eos_token_id]
    ids = ids[-(model.config.n_positions - 1) :]  # one place for something new, however long the prompt
    was_training = model.training
    model.eval()
    with torch.random.fork_rng(), in_parts(model):
        torch.manual_seed(seed)
        out = model.generate(
            input_ids=torch.tensor([ids], device=model.device),
            attention_mask=torch.ones(1, len(ids), dtype=torch.int64, device=model.device),
            max_new_tokens=min(SAMPLE_TOKENS, model.config.n_positions - len(ids)),
            do_sample=True,
            top_k=50,
            synced_gpus=is_spread(model) or None,
            pad_token_id=tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id,
        )
    model.train(was_training)
    read, whole = (str(tokenizer.decode(one, skip_special_tokens=True)) for one in (ids, out[0]))
    # A character may lie across the end of the prompt's tokens: then the two are decoded apart.
    added = (
        whole[len(read) :] if whole.startswith(read) else tokenizer.decode(out[0][len(ids) :], skip_special_tokens=True)
    )
    return read, str(added)


def prompt(told: str | None, corpus: LanguageModelingData) -> str:
    """What samples continue: what is told, or the first held-out text's beginning; of conversations as their template
    writes it, the first held-out prompt where none is told."""
    if told is not None and corpus.template is None:
        return told
    first = next(iter(corpus.documents.get("validation", corpus.documents["train"])))
    if corpus.template is None:
        return first.strip()[:PROMPT_CHARACTERS]
    assert isinstance(first, Conversation)
    messages = first.asked() if told is None else [{"role": "user", "content": told}]
    return corpus.template.render(messages, corpus.tokenizer.special_tokens_map, waits=True)


def answered(model, corpus: LanguageModelingData, split: str) -> list[dict[str, str]]:
    """The first prompts of a split of conversations that leave room for an answer, each with its `reference` and what
    the model, always taking the likeliest token, has `written`."""
    assert corpus.template is not None
    tokenizer, found = corpus.tokenizer, []
    padding = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    was_training = model.training
    model.eval()
    for one in islice(corpus.documents[split], ANSWERED):
        assert isinstance(one, Conversation)
        asked = corpus.template.render(one.asked(), tokenizer.special_tokens_map, waits=True)
        ids = tokenizer(asked, add_special_tokens=False, verbose=False).input_ids
        room = min(SAMPLE_TOKENS, model.config.n_positions - len(ids))
        if room < 1 or not ids:
            continue
        with in_parts(model):
            out = model.generate(
                input_ids=torch.tensor([ids], device=model.device),
                attention_mask=torch.ones(1, len(ids), dtype=torch.int64, device=model.device),
                max_new_tokens=room,
                do_sample=False,
                synced_gpus=is_spread(model) or None,
                pad_token_id=padding,
            )
        written = str(tokenizer.decode(out[0][len(ids) :], skip_special_tokens=True))
        found.append({"prompt": "\n\n".join(m["content"] for m in one.asked()), "reference": one.answer(),
                      "written": written})  # fmt: skip
    model.train(was_training)
    return found

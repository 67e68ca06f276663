"""What a model says with a cache of what it has read is what it says reading everything anew."""

from typing import Any

import torch

from .batches import Collator, rows_of, without_labels
from .forward import TOLERANCE
from .outcome import Inapplicable, Outcome, difference
from .rows import GENERATED, Rows
from .subject import Subject


@torch.no_grad()
def caching(subject: Subject, rows: Rows) -> Outcome:
    """The scores of each generated token, greedily, in a batch of prompts (on the left padded, of a decoder alone)."""
    if subject.task not in ("ForCausalLM", "ForConditionalGeneration"):
        raise Inapplicable("generation: this head writes no text")
    model: Any = subject.model
    seq2seq = subject.family == "marian"
    given = without_labels(Collator(subject, "right" if seq2seq else "left")(rows_of(subject, rows)))
    given.pop("position_ids", None)  # `generate` makes its own
    out = model.generate(
        **given,
        do_sample=False,
        num_beams=1,
        length_penalty=None,
        early_stopping=None,
        min_new_tokens=GENERATED,
        max_new_tokens=GENERATED,
        return_dict_in_generate=True,
        output_logits=True,
        use_cache=True,
    )
    written = out.sequences[:, :-1]  # all but the last were read
    if seq2seq:
        again = model(**given, decoder_input_ids=written, use_cache=False).logits
    else:
        mask = torch.cat([given["attention_mask"], torch.ones(len(written), GENERATED - 1, dtype=torch.int64)], 1)
        places = (mask.cumsum(1) - 1).clamp(min=0)
        again = model(written, attention_mask=mask, position_ids=places, use_cache=False).logits
    return Outcome(difference([torch.stack(out.logits, 1)], [again[:, -GENERATED:]]), TOLERANCE)

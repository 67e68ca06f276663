"""A CTranslate2 model: GPT-2 or the Transformer, for fast generation and translation without PyTorch.

CTranslate2's converter of Marian models takes the padding token for the last of the vocabulary, and its vector, with
which a translation begins, for zeros. That holds for the checkpoints of opus-mt, not for a model trained here, so the
converter's parts are put together anew: every token is kept, and what must never be generated gets a bias that says so.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig

from ..engines import ctranslate2 as engine
from ..errors import UserError
from ..hub import dual
from ..run import loading
from ..tasks.translation.tokenizer_pair import TokenizerPair
from . import bits, ctranslate2_file, furnish, parity, real_rows, stock
from .int8 import Int8

NEVER = -1e9  # added to the logit of a token that is not to be generated
GREEDY = {"num_beams": 1, "do_sample": False}  # what is not said is taken from the model's own generation config
ROWS, LENGTH, WRITTEN = 4, 24, 20  # texts compared, their tokens, and the tokens written to compare


def write(folder: Path, out: Path, *, int8: Int8 | None = None) -> list[str]:
    """CTranslate2's files, float32 or, once these were compared, int8 in their place, and the tokenizer. There the word
    vectors are always int8 too."""
    try:
        import ctranslate2  # noqa: F401
    except ImportError:
        raise UserError("CTranslate2 needs its package: pip install 'hf_xfmr[export]'") from None
    kind = dual.kind(folder)
    if kind.stock_class not in ("GPT2LMHeadModel", "MarianMTModel"):
        raise UserError(
            f"{folder} is a {kind.own_class}; CTranslate2 takes GPT-2 language models and translation models: use "
            "--to onnx or --to stock"
        )
    ours = parity.load(kind, folder)
    tokenizers = loading.from_pretrained(TokenizerPair, str(folder), config=ours.config)
    staged = out / "stock"
    staged.mkdir()
    stock.lay_out(kind, folder, staged)
    with torch.no_grad():
        model = stock.load(kind, staged).float()
    make, check = (_gpt2, _check_gpt2) if kind.stock_class == "GPT2LMHeadModel" else (_marian, _check_marian)
    with torch.no_grad():
        convert(make(model, tokenizers), out / "model")
    _up(out / "model")
    for path in sorted(staged.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    staged.rmdir()
    stock.copy(folder, out, (*stock.TOKENIZER, engine.SEARCH))
    (out / engine.CONFIG).write_text(stock.config_text(kind, folder), encoding="utf-8")
    bias = {} if getattr(ours, "final_logits_bias", None) is None else {"final_logits_bias": _bias(ours)}
    count = bits.compare("CTranslate2's model", ctranslate2_file.variables(out / "model.bin"), ours, bias)
    said = [f"{check(out, folder, ours, tokenizers)}; all {count:,} tensors of the model are the same, bit for bit"]
    if int8 is not None:
        with torch.no_grad():
            convert(make(model, tokenizers), out / "model", "int8")
        _up(out / "model")
        said.append("then its matrices were rounded to int8")
    furnish.furnish(kind, folder, out, engine="ctranslate2", precision="float32" if int8 is None else "int8")
    return said


def convert(spec, out: Path, quantization: str | None = None) -> None:
    """Write what a converter's parts were put together to as CTranslate2's files."""
    from ctranslate2.converters import Converter

    class Made(Converter):
        def _load(self):
            return spec

    Made().convert(str(out), quantization=quantization)


def _up(folder: Path) -> None:
    """The files of a folder into the one that holds it, over those that are there."""
    for path in folder.iterdir():
        path.replace(folder.parent / path.name)
    folder.rmdir()


def _tokens(tokenizer, rows: int, folder: str) -> list[str]:
    """The vocabulary in the order of its ids, one token for each of the `rows` rows of an embedding."""
    by_id = {number: token for token, number in tokenizer.get_vocab().items()}
    if beyond := [number for number in by_id if number >= rows]:
        raise UserError(f"{folder}: the tokenizer has the id {max(beyond)}, the embedding only {rows} rows")
    return [by_id.get(number, f"<unused {number}>") for number in range(rows)]


def _specials(config, tokenizer) -> None:
    """CTranslate2's special tokens; where the tokenizer has none of a kind, one that the texts it writes contain."""
    end = tokenizer.eos_token
    if end is None:
        raise UserError(
            f"{tokenizer.name_or_path}: the tokenizer has no end-of-text token, without which CTranslate2 never ends a "
            'text: name it in tokenizer_config.json, as "eos_token": "<|endoftext|>"'
        )
    config.bos_token = tokenizer.bos_token or end
    config.eos_token = end
    config.unk_token = tokenizer.unk_token or end


def _gpt2(model, tokenizers: TokenizerPair):
    from ctranslate2.converters.transformers import GPT2Loader

    loader, tokenizer = GPT2Loader(), tokenizers.source
    spec = loader.get_model_spec(model)
    loader.set_vocabulary(spec, _tokens(tokenizer, model.config.vocab_size, model.name_or_path))
    _specials(spec.config, tokenizer)
    return spec


def _marian(model, tokenizers: TokenizerPair):
    from ctranslate2.converters.transformers import BartLoader

    config = model.config
    if config.encoder_attention_heads != config.decoder_attention_heads:
        raise UserError(
            f"the encoder has {config.encoder_attention_heads} attention heads and the decoder "
            f"{config.decoder_attention_heads}; CTranslate2 has one number for both: use --to stock"
        )
    config.normalize_before = config.normalize_embedding = False
    loader: Any = BartLoader()
    spec = loader.get_model_spec(model)
    spec.decoder.projection.bias = torch.from_numpy(_bias(model))
    source, target = tokenizers.source, tokenizers.target
    spec.register_source_vocabulary(_tokens(source, config.vocab_size, model.name_or_path))
    spec.register_target_vocabulary(_tokens(target, config.decoder_vocab_size, model.name_or_path))
    _specials(spec.config, target)
    spec.config.decoder_start_token = target.convert_ids_to_tokens(config.decoder_start_token_id)
    return spec


def _bias(model) -> np.ndarray:
    """What is added to each logit."""
    bias = model.final_logits_bias.squeeze(0).clone()
    bias[sorted(_never(model))] = NEVER
    return bias.numpy()


def _never(model) -> set[int]:
    """Ids the model's own generation config rules out, and padding."""
    search = model.generation_config
    single = {words[0] for words in (search.bad_words_ids or []) if len(words) == 1}
    return {model.config.pad_token_id, *(search.suppress_tokens or []), *single} - {model.config.eos_token_id}


def _ids(model, rows: int, vocabulary: int, special: set[int], *, length: int, seed: int) -> list[list[int]]:
    """Rows of different lengths of ids that are no special tokens; the last one has all positions."""
    draw = np.random.default_rng(seed)
    plain = [number for number in range(vocabulary) if number not in special]
    longest = min(length, model.config.max_position_embeddings - 1)
    drawn = [draw.choice(plain, max(2, longest - 3 * row)).tolist() for row in range(rows)]
    return [*drawn, draw.choice(plain, model.config.max_position_embeddings - 1).tolist()]


def _check_gpt2(out: Path, folder: Path, ours, tokenizers: TokenizerPair) -> str:
    import ctranslate2

    tokenizer = tokenizers.source
    rows = _ids(ours, ROWS, len(tokenizer), set(tokenizer.all_special_ids), length=LENGTH, seed=0)
    real, real_words = real_rows.inputs(folder, ours)
    rows += [] if real is None else [row for row in _kept(real, "input_ids") if len(row) > 1]
    generator = ctranslate2.Generator(str(out), device="cpu", compute_type="float32")
    apart = 0.0
    for row in rows:
        tokens = tokenizer.convert_ids_to_tokens(row)
        found = torch.tensor(generator.score_batch([tokens])[0].log_probs)
        with torch.inference_mode():
            logits = ours(input_ids=torch.tensor([row]), use_cache=False).logits[0, :-1]
        apart = max(apart, _apart(found, logits, row[1:]))
    prompt = rows[ROWS - 1][: max(1, len(rows[ROWS - 1]) // 2)]
    most = min(WRITTEN, ours.config.max_position_embeddings - len(prompt))
    with torch.inference_mode():
        written = ours.generate(
            input_ids=torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
            generation_config=GenerationConfig(max_new_tokens=most, eos_token_id=tokenizer.eos_token_id, **GREEDY),
        )[0, len(prompt) :].tolist()
    result = generator.generate_batch(
        [tokenizer.convert_ids_to_tokens(prompt)], max_length=most, sampling_topk=1, include_prompt_in_result=False
    )
    found = result[0].sequences_ids[0]  # without the end of text, which is in ours
    return _say(apart, written[: len(found)] == found, _over("texts", ours, real_words), "continuation")


def _check_marian(out: Path, folder: Path, ours, tokenizers: TokenizerPair) -> str:
    import ctranslate2

    source, target, end = tokenizers.source, tokenizers.target, ours.config.eos_token_id
    special = {*source.all_special_ids, *target.all_special_ids, *_never(ours)}
    read = [[*row, end] for row in _ids(ours, ROWS, len(source), special, length=LENGTH, seed=0)]
    given = [[*row, end] for row in _ids(ours, ROWS, len(target), special, length=LENGTH, seed=1)]
    real, real_words = real_rows.inputs(folder, ours)
    if real is not None:
        read += _kept(real, "input_ids")
        given += _targets(real, end)
    translator = ctranslate2.Translator(str(out), device="cpu", compute_type="float32")
    scored = translator.score_batch(
        [source.convert_ids_to_tokens(row) for row in read], [target.convert_ids_to_tokens(row[:-1]) for row in given]
    )
    never, apart = sorted(_never(ours)), 0.0
    for one, row, words in zip(scored, read, given, strict=True):
        begun = [ours.config.decoder_start_token_id, *words[:-1]]
        with torch.inference_mode():
            logits = ours(input_ids=torch.tensor([row]), decoder_input_ids=torch.tensor([begun])).logits[0]
            logits[:, never] = NEVER
        apart = max(apart, _apart(torch.tensor(one.log_probs), logits, words))
    # One token more than is compared: with the last one some models are made to end.
    most = min(WRITTEN, ours.config.max_position_embeddings - 2)
    search = {"max_new_tokens": most + 1, "suppress_tokens": never, "pad_token_id": ours.config.pad_token_id}
    ends = {"eos_token_id": end, "decoder_start_token_id": ours.config.decoder_start_token_id}
    greedy, same = {"generation_config": GenerationConfig(**search, **ends, **GREEDY)}, True
    for row in read[:ROWS]:
        with torch.inference_mode():
            written = ours.generate(
                input_ids=torch.tensor([row]), attention_mask=torch.ones(1, len(row), dtype=torch.int64), **greedy
            )[0, 1:].tolist()
        found = translator.translate_batch(
            [source.convert_ids_to_tokens(row)], beam_size=1, max_decoding_length=most, return_end_token=True
        )[0].hypotheses[0]
        same &= target.convert_ids_to_tokens(written)[: len(found)] == found
    return _say(apart, same, _over("pairs", ours, real_words), "translations")


def _apart(found: torch.Tensor, logits: torch.Tensor, words: list[int]) -> float:
    expected = logits.log_softmax(-1)[torch.arange(len(words)), torch.tensor(words)]
    if found.shape != expected.shape:
        raise UserError(f"CTranslate2 scores {len(found)} tokens where our model has {len(expected)}")
    return float((found - expected).abs().max())


def _kept(given: dict, name: str) -> list[list[int]]:
    """Rows of ids without their padding."""
    return [row[: sum(mask)] for row, mask in zip(given[name].tolist(), given["attention_mask"].tolist(), strict=True)]


def _targets(given: dict, end: int) -> list[list[int]]:
    """What the decoder is to write: what it reads, without its start, up to the end of the text."""
    rows = (row[1:] for row in given["decoder_input_ids"].tolist())
    return [[*row[: row.index(end)], end] if end in row else [*row, end] for row in rows]


def _over(what: str, ours, real: str) -> str:
    return f"{ROWS} random {what}, one of all {ours.config.max_position_embeddings:,} positions" + (
        f", {real}" if real else ""
    )


def _say(apart: float, same: bool, what: str, written: str) -> str:
    if not apart <= 10 * parity.TOLERANCE or not same:
        raise UserError(
            f"CTranslate2 does not compute what our model does: log-probabilities differ by {apart:.2g} and greedy "
            f"{written} {'agree' if same else 'differ'}; nothing was written"
        )
    return f"CTranslate2 gives the log-probabilities of {what} to {apart:.1g}, and the same greedy {written}"

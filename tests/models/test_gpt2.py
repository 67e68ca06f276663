"""GPT-2 computes what stock GPT-2 computes, in every head, and what it should have computed where it is wrong."""

import pytest
import torch
import transformers
from oracles import same_as_stock, same_gradients, same_to_rounding, tiny_stock, twin
from spellings import enable_checkpointing
from torch import Tensor
from torch.nn import functional as F
from transformers import Trainer, TrainingArguments

import hf_xfmr
from hf_xfmr import XfmrGPT2Config, XfmrGPT2ForCausalLM

T = 9
LENGTHS = [9, 5, 7, 1]
# A name for each head and kind of loss: stock's class, ours, and what the config needs. Stock classification finds
# padding by id, and each of the two drops out its features by a number that GPT2Config has no field for.
SEQUENCE = (transformers.GPT2ForSequenceClassification, hf_xfmr.XfmrGPT2ForSequenceClassification)
CASES = {
    "Model": (transformers.GPT2Model, hf_xfmr.XfmrGPT2Model, {}),
    "CausalLM": (transformers.GPT2LMHeadModel, hf_xfmr.XfmrGPT2ForCausalLM, {}),
    "single-label": (*SEQUENCE, {"num_labels": 3, "pad_token_id": 0}),
    "multi-label": (*SEQUENCE, {"num_labels": 3, "pad_token_id": 0, "problem_type": "multi_label_classification"}),
    "regression": (*SEQUENCE, {"num_labels": 1, "pad_token_id": 0}),
    "TokenClassification": (
        transformers.GPT2ForTokenClassification,
        hf_xfmr.XfmrGPT2ForTokenClassification,
        {"num_labels": 5, "classifier_dropout": 0.0},
    ),
}


def make_twins(case: str = "CausalLM", attention: str = "sdpa", **config):
    stock_class, our_class, own = CASES[case]
    stock = tiny_stock(stock_class, attn_implementation=attention, **{**own, **config})
    return stock, twin(our_class, stock)


def make_inputs(padding: str = "right", lengths: list[int] = LENGTHS, seed: int = 0) -> dict[str, Tensor]:
    """Texts of these lengths; the same ones whatever the padding."""
    generator = torch.Generator().manual_seed(seed)
    texts = [torch.randint(1, 97, (length,), generator=generator) for length in lengths]
    side = "left" if padding == "left" else "right"
    if padding == "none":
        texts = [torch.randint(1, 97, (max(lengths),), generator=generator) for _ in lengths]
    ids = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_side=side)
    return {"input_ids": ids, "attention_mask": (ids != 0).long()}


def make_labels(case: str, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids, mask = inputs.values()
    if case == "CausalLM":  # stock would predict the first word of a row from padding, if that is on the left
        return {"labels": ids.masked_fill((mask == 0) | (mask.cumsum(1) == 1), -100)}
    if case == "TokenClassification":
        labelled = (torch.randint(2, ids.shape, generator=generator) == 1) & (mask == 1)
        return {"labels": torch.where(labelled, torch.randint(5, ids.shape, generator=generator), -100)}
    return {
        "Model": {},
        "single-label": {"labels": torch.randint(3, (len(ids),), generator=generator)},
        "multi-label": {"labels": torch.randint(2, (len(ids), 3), generator=generator).float()},
        "regression": {"labels": torch.randn(len(ids), generator=generator)},
    }[case]


def differentiable(out, mask: Tensor) -> Tensor:
    """The loss, or for the model without a head some function of all it returns for real tokens."""
    return out.loss if "loss" in out else out.last_hidden_state[mask == 1].sin().sum() / mask.sum()


def at_real_tokens(t: Tensor, mask: Tensor) -> Tensor:
    return t[mask == 1] if t.shape[:2] == mask.shape else t


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("case", CASES)
def test_outputs_loss_and_gradients_equal_stock(case, attention):
    """Logits, loss and every gradient, on both padding sides and none, with positions given or not, with padding
    dropped or computed, in evaluation and in training; dropout is 0."""
    stock, ours = make_twins(case, attention)
    for padding in ("right", "left", "none"):
        batch = make_inputs(padding)
        mask = batch["attention_mask"]
        batch = {**batch, **make_labels(case, batch)}
        for positions in (None, (mask.cumsum(-1) - 1).clamp(0), torch.arange(3, 3 + 2 * T, 2).expand(mask.shape)):
            given = batch if positions is None else {**batch, "position_ids": positions}
            for training in (False, True):
                stock.train(training).zero_grad()
                theirs = stock(**given, use_cache=False)
                differentiable(theirs, mask).backward()
                for pack in (True, False):
                    ours.train(training).zero_grad()
                    out = ours(**given, pack=pack, use_cache=False)
                    differentiable(out, mask).backward()
                    scored = not (training and case == "CausalLM")  # then only the labelled words are scored
                    assert ("logits" in out or case == "Model") is scored
                    for name in (key for key in theirs if key in out or scored):
                        mine, value = at_real_tokens(out[name], mask), at_real_tokens(theirs[name], mask)
                        same_as_stock(mine, value)
                    same_gradients(ours, stock)


@pytest.mark.parametrize(
    "config",
    [
        {"scale_attn_weights": False},
        {"scale_attn_by_inverse_layer_idx": True},
        {"n_inner": 20, "activation_function": "relu"},
        {"activation_function": "gelu_fast", "layer_norm_epsilon": 0.1},
        {"tie_word_embeddings": False},
    ],
    ids=lambda config: "-".join(config),
)
def test_config_fields_act_as_in_stock(config):
    stock, ours = make_twins(**config)
    reference = make_twins()[0]
    inputs = make_inputs()
    theirs = stock(**inputs).logits
    same_as_stock(ours(**inputs, use_cache=False).logits[0], theirs[0])
    assert not torch.allclose(reference(**inputs).logits, theirs, atol=1e-2)  # the field does something


def test_every_stock_config_field_is_here_with_stock_s_default():
    stock, ours = transformers.GPT2Config().to_dict(), XfmrGPT2Config().to_dict()
    assert {name for name, value in stock.items() if ours.get(name) != value} == {"model_type"}
    with pytest.raises(ValueError, match="GPT2LMHeadModel"):
        XfmrGPT2Config(add_cross_attention=True)


def test_hidden_states_attentions_embeddings_and_token_types_equal_stock():
    stock, ours = make_twins(attention="eager")
    inputs = make_inputs("left")
    mask = inputs["attention_mask"]
    more = {"token_type_ids": inputs["input_ids"].flip(1), "output_hidden_states": True, "output_attentions": True}
    theirs, out = stock(**inputs, **more), ours(**inputs, **more)
    assert len(out.hidden_states) == len(theirs.hidden_states) == 3
    assert len(out.attentions) == len(theirs.attentions) == 2
    for mine, value in zip(out.hidden_states, theirs.hidden_states, strict=True):
        same_as_stock(mine[mask == 1], value[mask == 1])
    for mine, value in zip(out.attentions, theirs.attentions, strict=True):
        rows = mask.bool()[:, None, :, None].expand_as(value)
        same_as_stock(mine[rows], value[rows])

    ours.set_attn_implementation("sdpa")
    words = ours.get_input_embeddings()(inputs["input_ids"])
    for pack in (True, False):
        out = ours(inputs_embeds=words, attention_mask=mask, use_cache=False, pack=pack)
        again = ours(**inputs, use_cache=False, pack=pack)
        same_to_rounding(out.logits, again.logits)
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
        ours(**inputs, inputs_embeds=words)


def test_padding_is_dropped_and_comes_back_as_zeros():
    """On a CPU the blocks see the real tokens only, and what they compute does not depend on the padding."""
    _, ours = make_twins("Model")
    seen = []
    ours.blocks[0].register_forward_pre_hook(lambda _, args: seen.append(tuple(args[0].shape[:2])))
    texts = [row[row != 0] for row in make_inputs()["input_ids"]]
    alone = [ours(text.unsqueeze(0), use_cache=False).last_hidden_state[0] for text in texts]
    for padding in ("right", "left"):
        inputs = make_inputs(padding)
        seen.clear()
        counted = {"position_ids": (inputs["attention_mask"].cumsum(-1) - 1).clamp(0)}
        x = ours(**inputs, **counted, use_cache=False).last_hidden_state
        assert seen == [(1, sum(LENGTHS))]
        assert not x[inputs["attention_mask"] == 0].any()
        same_to_rounding(x[inputs["attention_mask"] == 1], torch.cat(alone))


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("use_cache", [None, True, False])
def test_packed_rows_equal_separate_rows(attention, use_cache):
    """A row that holds several texts, known by positions or by boundaries, with padding at its end or in its middle."""
    _, ours = make_twins("Model", attention)
    texts = [row[row != 0] for row in make_inputs()["input_ids"]]
    alone = torch.cat([ours(text.unsqueeze(0)).last_hidden_state[0] for text in texts])
    lengths = torch.tensor([0, *map(len, texts)])
    row = {
        "input_ids": torch.cat(texts).unsqueeze(0),
        "position_ids": torch.cat([torch.arange(len(text)) for text in texts]).unsqueeze(0),
    }
    ends = lengths.cumsum(0).int()
    flash = {"cu_seq_lens_q": ends, "cu_seq_lens_k": ends, "max_length_q": T, "max_length_k": T}
    ones = {"attention_mask": torch.ones_like(row["input_ids"])}
    for pack in (True, False):
        for more in ({}, flash, ones):
            out = ours(**row, **more, use_cache=use_cache, pack=pack)
            assert out.past_key_values is None  # no cache could tell the texts apart
            same_to_rounding(out.last_hidden_state[0], alone)
        out = ours(row["input_ids"], **flash, use_cache=use_cache, pack=pack)  # positions follow from the boundaries
        same_to_rounding(out.last_hidden_state[0], alone)
        two = torch.stack([F.pad(row["input_ids"][0], (0, 3)), F.pad(row["input_ids"][0], (3, 0))])
        positions = torch.stack([F.pad(row["position_ids"][0], (0, 3)), F.pad(row["position_ids"][0], (3, 0))])
        x = ours(two, (two != 0).long(), positions, use_cache=use_cache, pack=pack).last_hidden_state
        for mine in (x[0, :-3], x[1, 3:]):
            same_to_rounding(mine, alone)


def true_loss(stock, texts: list[Tensor]) -> tuple[Tensor, int]:
    """Sum of the negative log-likelihoods of all words but the first of each text, one text at a time, in float64,
    and their number."""
    double = stock.double().eval()
    with torch.no_grad():
        losses = [
            F.cross_entropy(double(text.unsqueeze(0)).logits[0, :-1], text[1:], reduction="sum") for text in texts
        ]
    stock.float()
    return torch.stack(losses).sum(), sum(len(text) - 1 for text in texts)


@pytest.mark.parametrize("mask_labels", [True, False], ids=["padding-100", "labels-are-input_ids"])
def test_loss_is_the_true_likelihood_whatever_the_batch_and_its_padding(mask_labels):
    """Against float64, one text at a time. Stock counts the first word of left-padded rows as predicted from padding,
    and padding too if its label is not -100."""
    stock, ours = make_twins()
    lengths = [9, 2, 7, 1, 4, 9, 3, 6]
    texts = [row[row != 0] for row in make_inputs(lengths=lengths)["input_ids"]]
    total, count = true_loss(stock, texts)
    for training in (False, True):
        ours.train(training)
        for size in (1, 3, 8):
            for side in ("right", "left"):
                summed = 0.0
                for start in range(0, len(texts), size):
                    some = texts[start : start + size]
                    ids = torch.nn.utils.rnn.pad_sequence(some, batch_first=True, padding_side=side)
                    mask = (ids != 0).long()
                    labels = ids.masked_fill(mask == 0, -100) if mask_labels else ids
                    positions = (mask.cumsum(-1) - 1).clamp(0)
                    out = ours(ids, mask, positions, labels=labels, num_items_in_batch=count)
                    summed += out.loss.item()
                    alone = ours(ids, mask, positions, labels=labels).loss
                    mean = out.loss * count / max(sum(len(text) - 1 for text in some), 1)
                    same_to_rounding(alone, mean)
                same_to_rounding(summed, float(total / count))


def test_gradients_do_not_depend_on_how_a_step_is_cut():
    """One batch of 8 texts, 8 batches of 1, and one packed row give the same gradient."""
    _, ours = make_twins()
    ours.train()
    inputs = make_inputs(lengths=[9, 2, 7, 1, 4, 9, 3, 6])
    texts = [row[row != 0] for row in inputs["input_ids"]]
    count = sum(len(text) - 1 for text in texts)

    def gradients(batches):
        ours.zero_grad()
        for batch in batches:
            ours(**batch, num_items_in_batch=torch.tensor(count)).loss.backward()
        return torch.cat([p.grad.flatten() for p in ours.parameters()])

    whole = gradients([{**inputs, "labels": inputs["input_ids"].masked_fill(inputs["input_ids"] == 0, -100)}])
    ones = gradients([{"input_ids": text[None], "labels": text[None]} for text in texts])
    collate = transformers.DataCollatorWithFlattening(return_flash_attn_kwargs=True)
    row = gradients([collate([{"input_ids": text.tolist()} for text in texts])])
    same_to_rounding(ones, whole)
    same_to_rounding(row, whole)


def test_labels_scores_and_cache():
    stock, ours = make_twins()
    ids = make_inputs("none")["input_ids"]
    shifted = F.pad(ids[:, 1:], (0, 1), value=-100)
    theirs = stock(ids, labels=ids).loss
    same_as_stock(ours(ids, labels=ids).loss, theirs)
    same_as_stock(ours(ids, labels=torch.zeros_like(ids), shift_labels=shifted).loss, theirs)
    nothing = ours(ids, labels=torch.full_like(ids, -100)).loss
    nothing.backward()
    assert nothing == 0

    out = ours(ids, labels=ids, logits_to_keep=2)
    same_as_stock(out.loss, theirs)  # of all words
    same_as_stock(out.logits, stock(ids).logits[:, -2:])
    assert out.past_key_values is None
    assert ours(ids, labels=ids, use_cache=True).past_key_values.get_seq_length() == T
    assert ours(ids).past_key_values.get_seq_length() == T
    assert ours.train()(ids, labels=ids).logits is None


def test_label_smoothing(tmp_path):
    """By the model's own argument, and by plain Trainer, which has to know that this class's labels are shifted."""
    stock, ours = make_twins()
    inputs = make_inputs()
    labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
    scores = stock(**inputs).logits[:, :-1][labels[:, 1:] != -100].log_softmax(-1)
    targets = labels[:, 1:][labels[:, 1:] != -100]
    expected = -(0.9 * scores.gather(1, targets[:, None]).mean() + 0.1 * scores.mean())
    same_as_stock(ours(**inputs, labels=labels, label_smoothing=0.1).loss, expected)
    trainer = Trainer(ours, TrainingArguments(tmp_path, label_smoothing_factor=0.1, use_cpu=True))
    for training in (True, False):
        ours.train(training)
        same_as_stock(trainer.compute_loss(ours, {**inputs, "labels": labels}), expected)


def test_trainer_counts_the_words_that_are_predicted(tmp_path):
    _, ours = make_twins()
    trainer = Trainer(ours, TrainingArguments(tmp_path, use_cpu=True))
    batch = make_inputs()
    batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    assert trainer._get_num_items_in_batch([batch], "cpu") == sum(LENGTHS) - len(LENGTHS)


@pytest.mark.parametrize("padding", ["right", "left"])
def test_sequence_classification_reads_the_last_real_word(padding):
    """By the mask, with a text that ends with the pad id, and without any pad id in the config."""
    _, ours = make_twins("single-label", pad_token_id=None)
    inputs = make_inputs(padding)
    ids, mask = inputs.values()
    ids[2, int((mask[2] * torch.arange(T)).argmax())] = 0
    positions = (mask.cumsum(-1) - 1).clamp(0)
    alone = torch.cat([ours(row[real == 1].unsqueeze(0)).logits for row, real in zip(ids, mask, strict=True)])
    for more in ({}, {"pack": False}, {"use_cache": True}):
        same_to_rounding(ours(ids, mask, positions, **more).logits, alone)


def test_class_weights_multiply_each_row_s_loss():
    stock, ours = make_twins("single-label")
    ours.config.class_weights = [0.5, 2.0, 1.0]
    inputs, labels = make_inputs(), torch.tensor([0, 1, 2, 1])
    each = F.cross_entropy(stock(**inputs).logits, labels, reduction="none")
    expected = (each * torch.tensor(ours.config.class_weights)[labels]).mean()
    same_as_stock(ours(**inputs, labels=labels).loss, expected)


def test_initial_weights_are_as_the_paper_says():
    """Section 2.3: weights that lead back into the residual stream are smaller by the root of their number."""
    torch.manual_seed(0)
    model = XfmrGPT2ForCausalLM(XfmrGPT2Config(n_embd=64, n_layer=8, n_head=4, vocab_size=500, n_positions=64))
    small = 0.02 / (2 * 8) ** 0.5
    expected = {"attention.out": small, "feed_forward.down": small, "attention.query": 0.02, "feed_forward.up": 0.02}
    for name, std in expected.items():
        drawn = torch.cat([block.get_submodule(name).weight.flatten() for block in model.transformer.blocks])
        assert drawn.std().item() == pytest.approx(std, rel=0.02)
        assert not any(block.get_submodule(name).bias.any() for block in model.transformer.blocks)
    assert model.transformer.word.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert model.lm_head.weight is model.transformer.word.weight


def test_gradient_checkpointing_gives_the_same_gradients():
    _, ours = make_twins()
    ours.train()
    batch = {**make_inputs(), **make_labels("CausalLM", make_inputs())}
    ours(**batch).loss.backward()
    expected = {name: p.grad.clone() for name, p in ours.named_parameters()}
    ours.zero_grad()
    enable_checkpointing(ours)
    runs = []
    ours.transformer.blocks[0].attention.query.register_forward_hook(lambda *_: runs.append(1))
    ours(**batch, use_cache=True).loss.backward()
    assert len(runs) == 2  # once forwards, once more on the way back
    same_to_rounding({name: p.grad for name, p in ours.named_parameters()}, expected)


def test_resizing_the_vocabulary_keeps_input_and_output_tied():
    _, ours = make_twins()
    ids = make_inputs("none")["input_ids"]
    before = ours(ids).logits
    ours.resize_token_embeddings(110, mean_resizing=False)
    after = ours(ids).logits
    assert after.shape[-1] == ours.config.vocab_size == 110
    assert ours.lm_head.weight is ours.transformer.word.weight
    same_to_rounding(after[..., :99], before)


def test_compiled_whole_and_exported_with_any_length():
    stock, ours = make_twins()
    inputs = make_inputs("left")
    compiled = torch.compile(ours, fullgraph=True, backend="eager")
    real = inputs["attention_mask"] == 1
    expected = stock(**inputs).logits[real]
    same_as_stock(compiled(**inputs, use_cache=False).logits[real], expected)
    ids, positions = torch.arange(1, 9).unsqueeze(0), torch.tensor([[0, 1, 2, 0, 1, 2, 3, 4]])
    packed = compiled(ids, position_ids=positions, use_cache=False).logits
    same_as_stock(packed[:, 3:], stock(ids[:, 3:]).logits)

    batch, length = torch.export.Dim("batch", max=8), torch.export.Dim("length", max=40)
    sizes = {0: batch, 1: length}
    shapes = {"input_ids": sizes, "attention_mask": sizes, "use_cache": None}
    exported = torch.export.export(ours, (), {**inputs, "use_cache": False}, dynamic_shapes=shapes).module()
    other = make_inputs("left", lengths=[14, 3])
    real = other["attention_mask"] == 1
    mine = exported(**other, use_cache=False).logits[real]
    same_as_stock(mine, stock(**other).logits[real])


def test_lora_on_the_projections_trains_saves_and_loads(tmp_path):
    peft = pytest.importorskip("peft")
    _, ours = make_twins()
    batch = {**make_inputs(), **make_labels("CausalLM", make_inputs())}
    adapted = peft.get_peft_model(
        ours, peft.LoraConfig(task_type="CAUSAL_LM", target_modules=["query", "key", "value"])
    )
    before = adapted(**batch).loss.item()
    optimizer = torch.optim.Adam(adapted.parameters(), lr=0.01)
    for _ in range(5):
        adapted(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    after = adapted(**batch).loss
    assert after < before
    adapted.save_pretrained(tmp_path)
    again = peft.PeftModel.from_pretrained(make_twins()[1], tmp_path)
    same_to_rounding(again(**batch).loss, after)

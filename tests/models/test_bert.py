"""BERT computes what stock BERT computes, in every head, and what stock BERT should have computed where it is wrong."""

import pytest
import torch
from encoder_batches import (
    CASES,
    LENGTHS,
    LM_CASES,
    B,
    T,
    at_real_tokens,
    differentiable,
    gradients,
    make_batch,
    make_inputs,
    make_labels,
    stock_forward,
)
from oracles import BERT_HEADS, same_as_stock, same_gradients, same_to_rounding, tiny_stock, twin
from torch import Tensor
from torch.nn import functional as F


def make_twins(case: str, attention: str = "sdpa", **config):
    suffix, own = CASES[case]
    stock_class, our_class = BERT_HEADS[suffix]
    stock = tiny_stock(stock_class, attn_implementation=attention, **own, **config)
    return stock, twin(our_class, stock)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("case", CASES)
def test_outputs_loss_and_gradients_equal_stock(case, attention):
    """Logits, loss and every gradient, on both padding sides and none, with positions given or not, with padding
    dropped or computed, in evaluation and in training; dropout is 0."""
    stock, ours = make_twins(case, attention)
    for padding in ("right", "left", "none"):
        batch = make_batch(case, padding)
        mask = batch["attention_mask"]
        for positions in (None, (mask.cumsum(-1) - 1).clamp(0), torch.arange(3, 3 + T).expand(mask.shape)):
            given = batch if positions is None else {**batch, "position_ids": positions}
            for training in (False, True):
                stock.train(training).zero_grad()
                theirs = stock_forward(stock, case, given)
                differentiable(theirs, mask).backward()
                for pack in (True, False):
                    ours.train(training).zero_grad()
                    out = ours(**given, pack=pack)
                    differentiable(out, mask).backward()
                    scored = not (training and case in LM_CASES)  # such heads score only the labelled words
                    assert ("logits" in out or "prediction_logits" in out or case not in LM_CASES) is scored
                    for name, value in theirs.items():
                        if name in out or scored:
                            mine, value = at_real_tokens(out[name], mask), at_real_tokens(value, mask)
                            same_as_stock(mine, value)
                    same_gradients(ours, stock)


@pytest.mark.parametrize(
    "config",
    [
        *({"hidden_act": name} for name in ("relu", "silu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh")),
        {"layer_norm_eps": 0.1},
        {"type_vocab_size": 4, "pad_token_id": 5, "max_position_embeddings": 64, "num_attention_heads": 2},
        {"pad_token_id": None},
        {"tie_word_embeddings": False},
    ],
    ids=str,
)
def test_every_field_of_the_config_means_what_it_means_in_stock(config):
    stock, ours = make_twins("MaskedLM", **config)
    batch = make_batch("MaskedLM", "none")
    batch["token_type_ids"][0] = config.get("type_vocab_size", 2) - 1
    batch["input_ids"][0, 3] = 5
    theirs, mine = stock(**batch), ours(**batch)
    theirs.loss.backward()
    mine.loss.backward()
    same_as_stock(mine.logits, theirs.logits)
    same_gradients(ours, stock)


@pytest.mark.parametrize("case", ["single-label", "TokenClassification", "MultipleChoice"])
def test_dropout_before_the_classifier(case):
    """`classifier_dropout` if it is set, else `hidden_dropout_prob`."""
    for config, expected in (({"classifier_dropout": 0.6}, 0.6), ({}, 0.1)):
        _, ours = make_twins(case, hidden_dropout_prob=0.1, **config)
        caught = []
        ours.classifier.register_forward_pre_hook(lambda _, args, caught=caught: caught.append(args[0]))
        ours.train()
        torch.manual_seed(0)
        for _ in range(20):
            ours(**make_batch(case, "none"))
        assert abs((torch.stack(caught) == 0).float().mean() - expected) < 0.04


def test_left_padding_changes_nothing():
    """With positions that count real tokens, a row gives the same logits whatever side it is padded on."""
    _, ours = make_twins("single-label")
    right = make_inputs("right")
    left = {
        name: torch.stack([row.roll(T - n) for row, n in zip(t, LENGTHS, strict=True)]) for name, t in right.items()
    }
    left["position_ids"] = (left["attention_mask"].cumsum(1) - 1).clamp(0)
    for pack in (True, False):
        same_to_rounding(ours(**left, pack=pack).logits, ours(**right).logits)


def count_labels(case: str, batch: dict[str, Tensor]) -> int:
    """What the loss of a step is divided by; `Trainer` counts `labels` just so."""
    if case == "QuestionAnswering":
        return int((batch["start_positions"] < T).sum())
    return int((batch["labels"] != -100).sum())


@pytest.mark.parametrize("case", [case for case in CASES if case != "Model"])
def test_gradient_of_a_step_does_not_depend_on_its_cut(case):
    """Eight rows at once give the gradient of eight times one row, although rows have unequal numbers of labels."""
    _, ours = make_twins(case)
    ours.train()
    whole = make_batch(case, "right", lengths=[9, 5, 7, 1, 9, 3, 6, 8])
    if case == "QuestionAnswering":
        whole["start_positions"][2] = whole["end_positions"][2] = 99  # cut off, so without an answer
    rows = len(whole["attention_mask"])
    count = count_labels(case, whole)
    single = [{name: t[i : i + 1] for name, t in whole.items()} for i in range(rows)]
    at_once, one_by_one = (gradients(ours, cut, num_items_in_batch=count) for cut in ([whole], single))
    assert any(g.abs().max() > 1e-3 for g in at_once.values())
    same_to_rounding(at_once, one_by_one)
    if case != "PreTraining":  # whose next-sentence loss is weighted once a step is cut
        same_to_rounding(gradients(ours, [whole]), at_once)


def test_stock_gradient_grows_with_the_number_of_cuts():
    """Why the test above exists: stock takes `num_items_in_batch` and ignores it, and `Trainer` relies on it."""
    stock, _ = make_twins("regression")
    whole = make_batch("regression", "right", lengths=[9] * 8)
    quarters = [{name: t[i : i + 2] for name, t in whole.items()} for i in range(0, 8, 2)]
    at_once, cut = (gradients(stock, batches, num_items_in_batch=8) for batches in ([whole], quarters))
    same_to_rounding(cut["classifier.weight"], 4 * at_once["classifier.weight"])


def test_no_labelled_word_gives_loss_0_and_gradients_for_every_parameter():
    """A batch may lack labels by chance; on several processes every parameter needs a gradient all the same."""
    for case in LM_CASES:
        _, ours = make_twins(case)
        batch = make_batch(case, "right")
        batch["labels"].fill_(-100)
        out = ours.train()(**batch, num_items_in_batch=7)
        out.loss.backward()
        assert out.loss.item() == 0
        assert all(p.grad is not None and not p.grad.any() for p in ours.parameters())


@pytest.mark.parametrize("case", [case for case in CASES if case != "Model"])
def test_every_parameter_takes_part_in_the_loss(case):
    """No parameter is left without a gradient, which DistributedDataParallel would wait for."""
    _, ours = make_twins(case)
    ours.train()(**make_batch(case, "right")).loss.backward()
    assert [name for name, p in ours.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_hidden_states_and_attentions_equal_stock(attention):
    stock, ours = make_twins("TokenClassification", attention)
    batch = make_inputs("right")
    mask = batch["attention_mask"]
    for flags in ({"output_hidden_states": True}, {"output_hidden_states": True, "output_attentions": True}):
        theirs, mine = stock(**batch, **flags), ours(**batch, **flags)
        assert len(mine.hidden_states) == 3
        for a, b in zip(mine.hidden_states, theirs.hidden_states, strict=True):
            assert a.shape == (B, T, 32)
            same_as_stock(a[mask == 1], b[mask == 1])
        same_to_rounding(mine.hidden_states[-1], ours.bert(**batch, **flags).last_hidden_state)
    if attention == "eager":
        for a, b in zip(mine.attentions, theirs.attentions, strict=True):
            assert a.shape == (B, 4, T, T)
            a, b = a.transpose(1, 2)[mask == 1], b.transpose(1, 2)[mask == 1]
            same_as_stock(a, b)
    ours.config.output_hidden_states = True
    assert len(ours(**batch).hidden_states) == 3
    assert isinstance(ours(**batch, return_dict=False), tuple)


def test_inputs_embeds_stand_in_for_input_ids():
    _, ours = make_twins("TokenClassification")
    batch = make_inputs("right")
    ids = batch.pop("input_ids")
    for pack in (True, False):
        from_embeddings = ours(inputs_embeds=ours.get_input_embeddings()(ids), **batch, pack=pack)
        same_to_rounding(from_embeddings.logits, ours(ids, **batch, pack=pack).logits)
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
        ours(**batch)
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
        ours(ids, inputs_embeds=ours.get_input_embeddings()(ids))


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing_changes_no_gradient(reentrant):
    """Not even under dropout: the forward pass is replayed with the same random numbers."""
    _, ours = make_twins("MaskedLM", hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.2)
    ours.train()
    for padding in ("right", "none"):
        batch = make_batch("MaskedLM", padding)
        ours.gradient_checkpointing_disable()
        torch.manual_seed(0)
        plain = gradients(ours, [batch])
        ours.gradient_checkpointing_enable({"use_reentrant": reentrant})
        torch.manual_seed(0)
        same_to_rounding(gradients(ours, [batch]), plain)


@pytest.mark.parametrize("case", LM_CASES)
@pytest.mark.parametrize("size", [107, 90])
def test_resized_vocabulary(case, size, tmp_path):
    """Matrix, decoder and bias grow and shrink together, stay tied, and are the same after saving, for stock too."""
    _, ours = make_twins(case)
    batch = make_inputs("right")
    batch["input_ids"] %= 90
    name = "logits" if case == "MaskedLM" else "prediction_logits"
    before = ours(**batch)[name].detach()
    ours.resize_token_embeddings(size)
    assert ours.config.vocab_size == size
    assert ours.mlm_head.decoder.weight is ours.get_input_embeddings().weight
    assert ours.mlm_head.decoder.bias is ours.mlm_head.bias
    after = ours(**batch)[name]
    assert after.shape == (B, T, size)
    same_to_rounding(after[..., :90], before[..., :90])
    gradients(ours.train(), [{**batch, **make_labels(case, batch["attention_mask"]), "labels": batch["input_ids"]}])
    ours.eval().save_pretrained(tmp_path)
    for model_class in (type(ours), BERT_HEADS[CASES[case][0]][0]):
        again = model_class.from_pretrained(tmp_path)(**batch)[name]
        same_as_stock(at_real_tokens(again, batch["attention_mask"]), at_real_tokens(after, batch["attention_mask"]))


@pytest.mark.parametrize(
    ("case", "backend"),
    [
        ("PreTraining", "aot_eager"),
        ("TokenClassification", "aot_eager"),
        pytest.param("single-label", "inductor", marks=pytest.mark.slow),
    ],
)
def test_compiles_to_one_graph(case, backend):
    _, ours = make_twins(case)
    batch = make_batch(case, "left")
    compiled = torch.compile(ours, fullgraph=True, backend=backend)
    eager, out = ours(**batch, pack=False), compiled(**batch)
    for name in eager:
        same_to_rounding(out[name], eager[name])


@pytest.mark.parametrize("case", ["MaskedLM", "single-label"])
def test_exports_with_any_batch_and_length(case):
    _, ours = make_twins(case)
    example = make_inputs("right")
    rows, column = torch.export.Dim("rows", max=64), torch.export.Dim("column", max=40)
    shapes = {name: {0: rows, 1: column} for name in example}
    program = torch.export.export(ours, (), example, dynamic_shapes=shapes).module()
    for lengths in ([3, 12, 1], [40, 2]):
        batch = make_inputs("right", lengths)
        mask = batch["attention_mask"]
        a, b = (at_real_tokens(model(**batch).logits, mask) for model in (program, ours))
        same_to_rounding(a, b)


def test_lora_trains_saves_reloads_and_merges(tmp_path):
    peft = pytest.importorskip("peft")
    _, ours = make_twins("single-label")
    batch = make_batch("single-label", "right")
    base = {name: p.clone() for name, p in ours.state_dict().items()}
    config = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query", "key", "value"])
    model = peft.get_peft_model(ours, config).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.05)
    losses = []
    for _ in range(5):
        loss = model(**batch).loss
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0] - 0.05
    expected = model.eval()(**batch).logits
    model.save_pretrained(tmp_path)

    fresh = make_twins("single-label")[1]
    assert all(torch.equal(t, base[name]) for name, t in fresh.state_dict().items())
    again = peft.PeftModel.from_pretrained(fresh, tmp_path).eval()
    same_to_rounding(again(**batch).logits, expected)
    merged = again.merge_and_unload()
    same_to_rounding(merged(**batch).logits, expected)
    assert isinstance(merged, BERT_HEADS["ForSequenceClassification"][1])


@pytest.mark.parametrize("case", ["PreTraining", "single-label"])
def test_bfloat16(case):
    """Under autocast and as a bfloat16 model: near float32, the loss in float32, padding dropped or not."""
    _, ours = make_twins(case)
    batch = make_batch(case, "right")
    exact = ours(**batch)
    for pack in (True, False):
        with torch.autocast("cpu", torch.bfloat16):
            out = ours.train()(**batch, pack=pack)
        out.loss.backward()
        assert out.loss.dtype == torch.float32
        assert abs(out.loss - exact.loss) < 0.02 * exact.loss
    half = ours.bfloat16().eval()(**batch)
    assert half.loss.dtype == torch.float32
    assert abs(half.loss - exact.loss) < 0.04 * exact.loss


def test_windows_of_one_text_are_pooled():
    _, ours = make_twins("single-label")
    batch = make_inputs("right")
    each = ours(**batch).logits
    window_row = torch.tensor([0, 0, 0, 1])
    labels = torch.tensor([2, 0])
    out = ours(**batch, window_row=window_row, labels=labels)
    same_to_rounding(out.logits, torch.stack([each[:3].mean(0), each[3]]))
    same_to_rounding(out.loss, F.cross_entropy(out.logits, labels))


def test_class_weights_multiply_a_row_s_loss(tmp_path):
    """Divided by the number of rows, so that a row counts the same in every batch; kept by the saved config."""
    _, ours = make_twins("single-label")
    batch = make_batch("single-label", "right")
    each = F.cross_entropy(ours(**batch).logits, batch["labels"], reduction="none")
    ours.config.class_weights = [1.0, 0.25, 4.0]
    weights = torch.tensor([1.0, 0.25, 4.0])[batch["labels"]]
    same_to_rounding(ours(**batch).loss, (weights * each).mean())
    ours.save_pretrained(tmp_path)
    same_to_rounding(type(ours).from_pretrained(tmp_path)(**batch).loss, (weights * each).mean())


def test_four_dimensional_mask_is_taken_as_it_is():
    _, ours = make_twins("TokenClassification")
    batch = make_inputs("right")
    mask = batch.pop("attention_mask")
    full = (mask[:, None, None, :] == 1).expand(B, 1, T, T)
    expected = ours(**batch, attention_mask=mask).logits
    same_to_rounding(at_real_tokens(ours(**batch, attention_mask=full).logits, mask), at_real_tokens(expected, mask))


def test_head_counts_that_do_not_divide_the_model_dim_are_refused():
    with pytest.raises(ValueError, match="multiple of the number of heads"):
        BERT_HEADS["Model"][1](BERT_HEADS["Model"][1].config_class(hidden_size=30, num_attention_heads=4))

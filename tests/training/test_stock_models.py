"""XfmrTrainer on models of transformers itself: what of its promises holds for any of them."""

import pytest
import torch
import transformers
from oracles import same_to_rounding
from training_runs import make_trainer

import hf_xfmr
from hf_xfmr.training.nonfinite import NonFiniteError

SHORT = {
    "num_train_epochs": 1,
    "per_device_train_batch_size": 10,  # of 60 rows: 6 steps
    "eval_steps": 2,
    "save_steps": 2,
    "per_device_eval_batch_size": 5,  # of 12 rows: the last batch has 2
    "trainer_class": hf_xfmr.XfmrTrainer,
    "arguments_class": hf_xfmr.XfmrTrainingArguments,
}


def distilbert(dropout: float = 0.1):
    torch.manual_seed(3)
    return transformers.DistilBertForSequenceClassification(
        transformers.DistilBertConfig(
            vocab_size=99, dim=32, hidden_dim=48, n_layers=2, n_heads=4, max_position_embeddings=40, dropout=dropout,
            attention_dropout=dropout, seq_classif_dropout=dropout, problem_type="single_label_classification",
        )
    )  # fmt: skip


def t5(dropout: float = 0.1):
    torch.manual_seed(3)
    return transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=99, d_model=32, d_ff=48, d_kv=8, num_layers=2, num_heads=4, dropout_rate=dropout,
            decoder_start_token_id=0, pad_token_id=0,
        )
    )  # fmt: skip


def as_pairs(trainer):
    """Have a T5 repeat its source: targets of unequal length."""
    before = trainer.data_collator

    def collate(batch):
        inputs = before(batch)
        return {**inputs, "labels": inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)}

    trainer.data_collator = collate
    return trainer


MODELS = {"DistilBERT": (distilbert, lambda trainer: trainer), "T5": (t5, as_pairs)}
both = pytest.mark.parametrize(("model", "made"), MODELS.values(), ids=MODELS)


@both
def test_a_stopped_run_goes_on_to_the_same_bits(model, made, tmp_path):
    class Stop(transformers.TrainerCallback):
        def on_step_begin(self, args, state, control, **_):
            if state.global_step == 3:
                raise KeyboardInterrupt

    whole = made(make_trainer(tmp_path / "whole", model=model(), **SHORT))
    whole.train()
    cut = made(make_trainer(tmp_path / "cut", model=model(), **SHORT))
    cut.add_callback(Stop())
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        cut.train()
    again = made(make_trainer(tmp_path / "cut", model=model(), **SHORT))
    again.train(resume_from_checkpoint=True)
    assert again.state.global_step == whole.state.global_step == 6
    for (name, a), b in zip(whole.model.named_parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b), name


@both
def test_an_evaluations_loss_is_the_sum_over_what_is_labelled_by_its_number(model, made, tmp_path):
    trainer = made(make_trainer(tmp_path, model=model(), **SHORT))
    batch = trainer.data_collator(list(trainer.eval_dataset))
    with torch.no_grad():
        expected = float(trainer.model.eval()(**batch).loss)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(expected, abs=1e-5)


@both
def test_a_steps_gradient_is_no_sum_over_the_batches_it_is_cut_into(model, made, tmp_path):
    class Take(transformers.TrainerCallback):
        def on_pre_optimizer_step(self, args, state, control, model=None, **_):
            self.gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    gradients = []
    for batch, accumulation in ((8, 1), (2, 4)):
        options = {
            **SHORT,
            "per_device_train_batch_size": batch,
            "gradient_accumulation_steps": accumulation,
            "max_steps": 1,
            "max_grad_norm": 0.0,
            "eval_strategy": "no",
            "save_strategy": "no",
        }
        trainer = made(make_trainer(tmp_path, model=model(dropout=0.0), **options))
        trainer.add_callback(take := Take())
        trainer.train()
        gradients.append(take.gradient)
    if model is distilbert:  # rows, as many in each batch
        same_to_rounding(gradients[1], gradients[0])
    else:  # a mean over batches of means over tokens, of which one has more than another
        assert 0.8 < float(gradients[1].norm() / gradients[0].norm()) < 1.25


@both
def test_what_is_not_finite_stops_the_run(model, made, tmp_path):
    trainer = made(make_trainer(tmp_path, model=model(), **SHORT))
    before = trainer.compute_loss

    def compute_loss(*args, **kwargs):
        loss = before(*args, **kwargs)
        return loss * float("nan") if trainer.state.global_step == 3 and trainer.model.training else loss

    trainer.compute_loss = compute_loss
    with pytest.raises(NonFiniteError, match=r"step 4: the loss is nan, with rows .* the last good checkpoint is"):
        trainer.train()
    assert all(p.isfinite().all() for p in trainer.model.parameters())


@both
def test_each_layers_learning_rate_is_below_that_of_the_layer_above(model, made, tmp_path):
    trainer = made(make_trainer(tmp_path, model=model(), layer_decay=0.5, **SHORT))
    trainer.create_optimizer()
    rates = {id(p): group["lr"] for group in trainer.optimizer.param_groups for p in group["params"]}
    by_name = {name: rates[id(p)] for name, p in trainer.model.named_parameters()}
    embedding, block = (
        ("shared.weight", "decoder.block")
        if model is t5
        else ("distilbert.embeddings.word_embeddings.weight", "distilbert.transformer.layer")
    )
    below, above = (
        next(rate for name, rate in by_name.items() if name.startswith(f"{block}.{number}.")) for number in (0, 1)
    )
    assert by_name[embedding] < below < above <= max(by_name.values()) == 1e-3

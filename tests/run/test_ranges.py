"""Numbers outside their ranges, and names of nothing: one line before any data are read, in recipes and commands."""

from pathlib import Path

import classify_bert
import finetune_gpt2
import pretrain_bert
import pytest
import tag_bert
import train_tokenizer
import translate
from small_checkpoints import said

from hf_xfmr.errors import UserError
from hf_xfmr.predict import predict
from hf_xfmr.run import ranges
from hf_xfmr.tasks.language_modeling.generator import generate
from hf_xfmr.tasks.translation.translator import translate as translated

RECIPES = [classify_bert, tag_bert, pretrain_bert, finetune_gpt2, translate]


def line(module, folder: Path, capsys, *flags: str) -> str:
    """What a run that can't begin ends with; its data would be missing, were they asked for."""
    own = ["--source_lang", "en", "--target_lang", "fr"] if module is translate else []
    own = ["--kind", "bpe", "--model_max_length", "9"] if module is train_tokenizer else own
    data = ["--dataset", str(folder / "none.csv"), "--output_dir", str(folder / "run")]
    return said(capsys, lambda: module.main([*data, *own, *flags]))


OF_ALL = {
    "num_train_epochs": ("-1", "0", "nan", "inf"),
    "max_steps": ("0", "-2"),
    "learning_rate": ("-1", "nan", "inf"),
    "per_device_train_batch_size": ("0", "-1"),
    "per_device_eval_batch_size": ("0", "-1"),
    "gradient_accumulation_steps": ("0", "-1"),
    "early_stopping_patience": ("0", "-1"),
    "layer_decay": ("-1", "0", "1.5", "nan"),
    "skip_nonfinite": ("-1",),
    "weight_decay": ("-0.1", "nan"),
    "adam_beta1": ("1", "-0.1"),
    "adam_beta2": ("1.1",),
    "adam_epsilon": ("0", "-1e-8"),
    "max_grad_norm": ("-1",),
    "warmup_steps": ("-1",),
    "label_smoothing_factor": ("-0.1", "1"),
    "dataloader_num_workers": ("-1",),
    "seed": ("-1", "4294967296"),
    "data_seed": ("-1",),
    "logging_steps": ("0", "-5"),
    "save_steps": ("0", "-1"),
    "eval_steps": ("0", "-1"),
    "save_total_limit": ("0", "-1"),
}


@pytest.mark.parametrize("module", RECIPES, ids=lambda module: module.__name__)
def test_a_number_of_the_training_outside_its_range_is_named(tmp_path, capsys, module):
    for name, values in OF_ALL.items():
        for value in values:
            said_of = line(module, tmp_path, capsys, f"--{name}={value}")
            assert said_of.startswith("error: "), (name, value)
            assert name in said_of, (name, value, said_of)
            assert "none.csv" not in said_of


@pytest.mark.parametrize(
    ("module", "flags", "expected"),
    [
        (classify_bert, ["--max_train_rows", "0"], "max_train_rows is 0; it must be at least 1"),
        (classify_bert, ["--max_length", "-4"], "max_length is -4; it must be at least 1"),
        (
            classify_bert,
            ["--validation_fraction", "1"],
            "validation_fraction is 1.0; it must be at least 0 and less than",
        ),
        (classify_bert, ["--test_fraction", "nan"], "test_fraction is nan"),
        (classify_bert, ["--lora_rank", "-1"], "lora_rank is -1"),
        (tag_bert, ["--max_validation_rows", "-1"], "max_validation_rows is -1"),
        (pretrain_bert, ["--max_train_documents", "0"], "max_train_documents is 0"),
        (finetune_gpt2, ["--sample_every", "-1"], "sample_every is -1; it must be at least 0"),
        (finetune_gpt2, ["--block_size", "0"], "block_size is 0"),
        (finetune_gpt2, ["--stride", "0"], "stride is 0; it must be at least 1"),
        (translate, ["--num_beams", "0"], "num_beams is 0"),
        (translate, ["--tokens_per_batch", "-1"], "tokens_per_batch is -1"),
        (translate, ["--label_smoothing", "nan"], "label_smoothing is nan"),
        (translate, ["--eval_sentences", "-1"], "eval_sentences is -1"),
        (translate, ["--length_penalty", "inf"], "length_penalty is inf; it must be a finite number"),
        (translate, ["--vocab_size", "0"], "vocab_size is 0"),
        (train_tokenizer, ["--vocab_size", "-1"], "vocab_size is -1"),
        (train_tokenizer, ["--min_frequency", "0"], "min_frequency is 0"),
        *[
            (module, ["--model_config", f"{{{fields}}}"], f"model_config: {expected}")
            for module, fields, expected in (
                (finetune_gpt2, "n_layer: -1", "n_layer is -1; it must be at least 1"),
                (finetune_gpt2, "n_embd: 0", "n_embd is 0"),
                (finetune_gpt2, "resid_pdrop: 1.5", "resid_pdrop is 1.5; it must be at least 0 and less than 1"),
                (
                    finetune_gpt2,
                    "activation_function: gelu_nwe",
                    "activation_function is 'gelu_nwe'; did you mean 'gelu_new'?",
                ),
                (classify_bert, "num_hidden_layers: 0", "num_hidden_layers is 0"),
                (tag_bert, "hidden_dropout_prob: -0.1", "hidden_dropout_prob is -0.1"),
                (pretrain_bert, "layer_norm_eps: 0", "layer_norm_eps is 0"),
                (pretrain_bert, "initializer_range: .nan", "initializer_range is nan"),
                (translate, "encoder_layers: -2", "encoder_layers is -2"),
            )
        ],
    ],
    ids=lambda one: one.__name__ if hasattr(one, "__name__") else None,
)
def test_a_number_of_one_recipe_outside_its_range_is_named(tmp_path, capsys, module, flags, expected):
    assert expected in line(module, tmp_path, capsys, *flags)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--report_to", "tensorbord"], "report_to is 'tensorbord'; did you mean 'tensorboard'?"),
        (["--report_to", "comet_ml"], "report_to is 'comet_ml', whose package is not installed"),
        (["--optim", "adamw"], "optim"),
        (["--optim", "adamw_8bit"], "optim adamw_8bit can't be used"),
        (["--lr_scheduler_type", "cosin"], "'cosin'"),
        (
            ["--lr_scheduler_type", "cosine_with_min_lr"],
            "lr_scheduler_type cosine_with_min_lr can't be used: ",
        ),
        (
            ["--lr_scheduler_kwargs", '{"num_cycle": 3}', "--lr_scheduler_type", "cosine"],
            "lr_scheduler_type cosine with lr_scheduler_kwargs {'num_cycle': 3} can't be used",
        ),
        (
            ["--early_stopping_patience", "2", "--load_best_model_at_end", "false"],
            "early_stopping_patience needs a figure to watch: add --metric_for_best_model loss",
        ),
    ],
)
def test_what_trainer_would_come_upon_when_it_trains_is_said_before(tmp_path, capsys, flags, expected):
    assert expected in line(finetune_gpt2, tmp_path, capsys, *flags)


@pytest.mark.parametrize("module", RECIPES, ids=lambda module: module.__name__)
def test_a_run_without_end_or_a_batch_of_everything_is_refused_before_data_are_read(tmp_path, capsys, module):
    for flag, value, most in (
        ("num_train_epochs", "1e9", "1,000,000"),
        ("max_steps", "1000000000000", "1,000,000,000"),
        ("per_device_train_batch_size", "1000000000", "65,536"),
        ("per_device_eval_batch_size", "1000000000", "65,536"),
        ("gradient_accumulation_steps", "1000000000", "1,000,000"),
    ):
        assert f"it must be at most {most}" in line(module, tmp_path, capsys, f"--{flag}", value)


@pytest.mark.parametrize("module", [pretrain_bert, finetune_gpt2, translate], ids=lambda module: module.__name__)
def test_a_figure_that_no_evaluation_gives_can_t_choose_the_best(tmp_path, capsys, module):
    found = line(module, tmp_path, capsys, "--metric_for_best_model", "accurracy")
    assert "metric_for_best_model is 'accurracy'; it can be loss" in found


def test_a_figure_of_a_classifier_is_known_before_it_trains(tmp_path, capsys):
    rows = [f"{'good' if i % 2 else 'bad'} film {i},{'pos' if i % 2 else 'neg'}" for i in range(80)]
    (tmp_path / "none.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    sizes = "{hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32}"
    flags = ["--model_config", sizes, "--report_to", "none", "--baseline", "false", "--max_steps", "1"]
    found = line(classify_bert, tmp_path, capsys, *flags, "--metric_for_best_model", "f1_makro")
    assert "metric_for_best_model is 'f1_makro'; it can be loss, accuracy" in found


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: translated("none", ["a"], batch_size=0), "batch_size is 0; it must be at least 1"),
        (lambda: translated("none", ["a"], num_beams=-1), "num_beams is -1; it must be at least 1"),
        (lambda: translated("none", ["a"], num_beams=10**6), "num_beams is 1,000,000; it must be at most 1,000"),
        (lambda: translated("none", ["a"], batch_size=10**9), "batch_size is 1,000,000,000; it must be at most 65,536"),
        (
            lambda: generate("none", ["a"], max_new_tokens=10**9),
            "max_new_tokens is 1,000,000,000; .* at most 1,000,000",
        ),
        (lambda: generate("none", ["a"], num_beams=10**6), "num_beams is 1,000,000"),
        (lambda: predict("none", ["a"], batch_size=10**9), "batch_size is 1,000,000,000"),
        (lambda: generate("none", ["a"], batch_size=0), "batch_size is 0"),
        (lambda: generate("none", ["a"], seed=-1), "seed is -1"),
        (lambda: generate("none", ["a"], temperature=float("nan")), "temperature is nan"),
        (lambda: generate("none", ["a"], top_p=float("nan")), "top_p is nan"),
        (lambda: generate("none", ["a"], max_new_tokens=0), "max_new_tokens is 0"),
        (lambda: predict("none", ["a"], batch_size=-1), "batch_size is -1"),
        (lambda: predict("none", ["a"], temperature=float("inf")), "temperature is inf"),
    ],
)
def test_a_command_s_numbers_are_looked_at_before_a_model_loads(call, expected):
    with pytest.raises(UserError, match=expected):
        list(call())


def test_the_defaults_of_every_recipe_are_within_their_ranges():
    for module in RECIPES:
        for name, one in module.Settings.__dataclass_fields__.items():
            ranges.check(**{name: one.default})

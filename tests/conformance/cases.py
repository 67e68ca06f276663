"""The common suite on one side, `CONFORMANCE=stock` or `ours`: a class of tests for each family."""

import os
import sys
import tempfile
import unittest
from pathlib import Path

import torch
import transformers

import hf_xfmr
from hf_xfmr.registration import config_classes

sys.path.insert(0, str(Path(__file__).parent))
import suite

OURS = os.environ["CONFORMANCE"] == "ours"
SCRATCH = Path(tempfile.mkdtemp())
suite.install(SCRATCH)

from tests.generation.test_utils import GenerationTesterMixin  # noqa: E402
from tests.test_configuration_common import ConfigTester  # noqa: E402
from tests.test_modeling_common import ModelTesterMixin, ids_tensor, random_attention_mask  # noqa: E402
from tests.test_modeling_common import global_rng as suite_draws  # noqa: E402
from tests.test_pipeline_mixin import PipelineTesterMixin  # noqa: E402


def pick(stock: str, ours: str) -> type:
    return getattr(hf_xfmr, ours) if OURS else getattr(transformers, stock)


if OURS:  # the suite finds out by a class's name which labels it takes
    for config_class in config_classes():
        for auto_class, path in config_class.auto_classes.items():
            if auto_class != "AutoConfig":
                names = getattr(transformers, auto_class)._model_mapping._model_mapping
                names[config_class.model_type] = path.split(".")[-1]


class Tester:
    """Tiny configs and random inputs, sized as transformers sizes its own."""

    config_class: type
    sizes: dict
    batch_size, seq_length, num_choices, num_labels, hidden_size, num_hidden_layers = 13, 7, 4, 3, 32, 2
    num_attention_heads, is_training = 4, True

    def __init__(self, parent):
        self.parent = parent

    def get_config(self):
        return self.config_class(**self.sizes)

    def prepare_config_and_inputs_for_common(self):
        shape = [self.batch_size, self.seq_length]
        return self.get_config(), {
            "input_ids": ids_tensor(shape, self.sizes["vocab_size"]),
            "attention_mask": random_attention_mask(shape),
        }


class BertTester(Tester):
    config_class = pick("BertConfig", "XfmrBertConfig")
    sizes = {
        "vocab_size": 99,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 37,
        "max_position_embeddings": 512,
        "type_vocab_size": 16,
    }

    def prepare_config_and_inputs_for_common(self):
        config, inputs = super().prepare_config_and_inputs_for_common()
        return config, {"token_type_ids": ids_tensor([self.batch_size, self.seq_length], 16), **inputs}


class RobertaTester(BertTester):
    config_class = pick("RobertaConfig", "XfmrRobertaConfig")

    def prepare_config_and_inputs_for_common(self):
        """Without padding among the ids, which have positions of their own by it, and word vectors have not."""
        config, inputs = super().prepare_config_and_inputs_for_common()
        return config, {**inputs, "input_ids": inputs["input_ids"].clamp(2)}


class XLMRobertaTester(RobertaTester):
    config_class = pick("XLMRobertaConfig", "XfmrRobertaConfig")
    sizes = BertTester.sizes | ({"stock_model_type": "xlm-roberta"} if OURS else {})


class CamembertTester(RobertaTester):
    config_class = pick("CamembertConfig", "XfmrRobertaConfig")
    sizes = BertTester.sizes | ({"stock_model_type": "camembert"} if OURS else {})


class DistilBertTester(Tester):
    config_class = pick("DistilBertConfig", "XfmrDistilBertConfig")
    sizes = {
        "vocab_size": 99,
        "dim": 32,
        "n_layers": 2,
        "n_heads": 4,
        "hidden_dim": 37,
        "max_position_embeddings": 512,
    }


class GPT2Tester(Tester):
    config_class = pick("GPT2Config", "XfmrGPT2Config")
    sizes = {
        "vocab_size": 99,
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 512,
        "bos_token_id": 98,
        "eos_token_id": 98,
        "pad_token_id": 98,
    }


class MarianTester(Tester):
    config_class = pick("MarianConfig", "XfmrConfig")
    sizes = {
        "vocab_size": 99,
        "d_model": 16,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 4,
        "decoder_ffn_dim": 4,
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "max_position_embeddings": 50,
        "eos_token_id": 2,
        "bos_token_id": 0,
        "pad_token_id": 1,
        "decoder_start_token_id": 3,
    }
    hidden_size, decoder_seq_length, encoder_seq_length, key_length = 16, 7, 7, 7

    def prepare_config_and_inputs_for_common(self):
        config, inputs = super().prepare_config_and_inputs_for_common()
        inputs["input_ids"] = inputs["input_ids"].clamp(3)
        inputs["input_ids"][:, -1] = 2
        inputs["attention_mask"] = inputs["input_ids"].ne(1).long()
        target = ids_tensor([self.batch_size, self.seq_length], 99).clamp(3)
        return config, {**inputs, "decoder_input_ids": target, "decoder_attention_mask": target.ne(1).long()}


class Cases(ModelTesterMixin, PipelineTesterMixin):
    kind: type
    tokenizer_kind: str

    def setUp(self):
        suite_draws.seed(self._testMethodName)  # the same inputs for stock and for ours
        torch.manual_seed(0)
        self.model_tester = self.kind(self)
        self.config_tester = ConfigTester(self, config_class=self.kind.config_class, **self.config_values)

    def test_config(self):
        self.config_tester.run_common_tests()

    def run_pipeline_test(self, task, repo_name, model_architecture, **kwargs):
        home = SCRATCH / self.kind.config_class.model_type / model_architecture.__name__
        if not home.is_dir():
            suite.save_tiny(SCRATCH, model_architecture, self.kind(self).get_config(), self.tokenizer_kind)
        super().run_pipeline_test(task, model_architecture.__name__, model_architecture, **kwargs)

    def run_task_tests(self, task, dtype="float32"):
        given = self.pipeline_model_mapping.get(task)
        if given is not None:
            summary = sys.modules["tests.test_pipeline_mixin"].tiny_model_summary
            summary[given.__name__] = {"tokenizer_classes": ["PreTrainedTokenizerFast"], "processor_classes": []}
        super().run_task_tests(task, dtype)


class Bert(Cases, unittest.TestCase):
    kind, tokenizer_kind, config_values = BertTester, "wordpiece", {"hidden_size": 37}
    all_model_classes = tuple(
        pick(f"Bert{head}", f"XfmrBert{head}")
        for head in (
            "Model",
            "ForPreTraining",
            "ForMaskedLM",
            "ForNextSentencePrediction",
            "ForSequenceClassification",
            "ForMultipleChoice",
            "ForTokenClassification",
            "ForQuestionAnswering",
        )
    )
    pipeline_model_mapping = {
        "feature-extraction": pick("BertModel", "XfmrBertModel"),
        "fill-mask": pick("BertForMaskedLM", "XfmrBertForMaskedLM"),
        "text-classification": pick("BertForSequenceClassification", "XfmrBertForSequenceClassification"),
        "token-classification": pick("BertForTokenClassification", "XfmrBertForTokenClassification"),
        "zero-shot": pick("BertForSequenceClassification", "XfmrBertForSequenceClassification"),
    }

    def _prepare_for_class(self, inputs_dict, model_class, return_labels=False):
        inputs = super()._prepare_for_class(inputs_dict, model_class, return_labels)
        if return_labels and "ForPreTraining" in model_class.__name__:
            inputs["labels"] = torch.zeros_like(inputs["input_ids"])
            inputs["next_sentence_label"] = torch.zeros_like(inputs["input_ids"][:, 0])
        return inputs


def kin(family: str, ours: str, kind: type) -> dict:
    """What is tested of one of BERT's kin: its heads, and those that pipelines take."""
    tasks = ("SequenceClassification", "MultipleChoice", "TokenClassification", "QuestionAnswering")
    heads = {head: pick(family + head, ours + head) for head in ("Model", "ForMaskedLM", *(f"For{t}" for t in tasks))}
    pipelines = {
        "feature-extraction": heads["Model"],
        "fill-mask": heads["ForMaskedLM"],
        "text-classification": heads["ForSequenceClassification"],
        "token-classification": heads["ForTokenClassification"],
        "zero-shot": heads["ForSequenceClassification"],
    }
    width = "dim" if family == "DistilBert" else "hidden_size"
    return {
        "kind": kind,
        "tokenizer_kind": "wordpiece",
        "config_values": {width: 37},
        "all_model_classes": tuple(heads.values()),
        "pipeline_model_mapping": pipelines,
    }


class Roberta(Cases, unittest.TestCase):
    vars().update(kin("Roberta", "XfmrRoberta", RobertaTester))


class XLMRoberta(Cases, unittest.TestCase):
    vars().update(kin("XLMRoberta", "XfmrRoberta", XLMRobertaTester))


class Camembert(Cases, unittest.TestCase):
    vars().update(kin("Camembert", "XfmrRoberta", CamembertTester))


class DistilBert(Cases, unittest.TestCase):
    vars().update(kin("DistilBert", "XfmrDistilBert", DistilBertTester))


class GPT2(Cases, GenerationTesterMixin, unittest.TestCase):
    kind, tokenizer_kind, config_values = GPT2Tester, "bpe", {"n_embd": 37}
    all_model_classes = (
        pick("GPT2Model", "XfmrGPT2Model"),
        pick("GPT2LMHeadModel", "XfmrGPT2ForCausalLM"),
        pick("GPT2ForSequenceClassification", "XfmrGPT2ForSequenceClassification"),
        pick("GPT2ForTokenClassification", "XfmrGPT2ForTokenClassification"),
    )
    pipeline_model_mapping = {
        "feature-extraction": pick("GPT2Model", "XfmrGPT2Model"),
        "text-classification": pick("GPT2ForSequenceClassification", "XfmrGPT2ForSequenceClassification"),
        "text-generation": pick("GPT2LMHeadModel", "XfmrGPT2ForCausalLM"),
        "token-classification": pick("GPT2ForTokenClassification", "XfmrGPT2ForTokenClassification"),
        "zero-shot": pick("GPT2ForSequenceClassification", "XfmrGPT2ForSequenceClassification"),
    }


class Transformer(Cases, GenerationTesterMixin, unittest.TestCase):
    kind, tokenizer_kind, config_values = MarianTester, "unigram", {"d_model": 37}
    all_model_classes = (pick("MarianModel", "XfmrModel"), pick("MarianMTModel", "XfmrForConditionalGeneration"))
    is_encoder_decoder = True
    pipeline_model_mapping = {}  # transformers 5 has no pipeline for translation; ours is tested in test_translate.py

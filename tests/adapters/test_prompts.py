"""Prompts that are trained: words before the text, and keys and values before it, from stock's file to our model."""

import peft
import pytest
import torch
import transformers
from oracles import same_as_stock, tiny_stock, twin

import hf_xfmr

IDS = torch.arange(5, 17).view(2, 6)
MASK = torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
HEADS = {
    "BertModel": (hf_xfmr.XfmrBertModel, "FEATURE_EXTRACTION"),
    "BertForSequenceClassification": (hf_xfmr.XfmrBertForSequenceClassification, "SEQ_CLS"),
    "BertForTokenClassification": (hf_xfmr.XfmrBertForTokenClassification, "TOKEN_CLS"),
    "BertForQuestionAnswering": (hf_xfmr.XfmrBertForQuestionAnswering, "QUESTION_ANS"),
    "GPT2LMHeadModel": (hf_xfmr.XfmrGPT2ForCausalLM, "CAUSAL_LM"),
    "MarianMTModel": (hf_xfmr.XfmrForConditionalGeneration, "SEQ_2_SEQ_LM"),
}


@pytest.mark.parametrize("kind", ["PrefixTuningConfig", "PromptTuningConfig", "PromptEncoderConfig"])
@pytest.mark.parametrize("head", HEADS)
def test_a_trained_prompt_does_here_what_it_does_on_stock(head, kind, tmp_path):
    if head == "MarianMTModel" and kind != "PrefixTuningConfig":
        pytest.skip("stock Marian's encoder does not scale word vectors that it is given, ours does")
    our_class, task_type = HEADS[head]
    stock = tiny_stock(getattr(transformers, head))
    ours = twin(our_class, stock)
    config = getattr(peft, kind)(task_type=task_type, num_virtual_tokens=3)
    peft.get_peft_model(stock, config).save_pretrained(tmp_path)
    stock, ours = (peft.PeftModel.from_pretrained(model, tmp_path).eval() for model in (stock, ours))
    inputs = {"decoder_input_ids": IDS, "decoder_attention_mask": MASK} if head == "MarianMTModel" else {}
    with torch.no_grad():
        theirs, here = (model(input_ids=IDS, attention_mask=MASK, **inputs)[0] for model in (stock, ours))
        plain = ours.get_base_model()(input_ids=IDS, attention_mask=MASK, **inputs)[0]
    same_as_stock(here[0], theirs[0])
    if here.shape == plain.shape:
        assert (here[0] - plain[0]).abs().max() > 1e-4
    if theirs.dim() == 2 and head != "BertForQuestionAnswering":
        same_as_stock(here[1], theirs[1])
    else:  # of the padded row its words
        words = slice(0, here.size(1) - 2)
        same_as_stock(here[1, words], theirs[1, words])


def test_rows_of_a_batch_may_have_adapters_of_their_own():
    four = {"max_new_tokens": 4, "min_new_tokens": 4}  # a row that ends would be cut to its own length
    model = twin(hf_xfmr.XfmrGPT2ForCausalLM, tiny_stock(transformers.GPT2LMHeadModel))
    config = peft.LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False)
    model = peft.get_peft_model(model, config, adapter_name="one")
    model.add_adapter("two", config)
    model.eval()
    with torch.no_grad():
        mixed = model(IDS, attention_mask=MASK, adapter_names=["one", "two"]).logits
        words = model.generate(IDS, attention_mask=MASK.flip(1), adapter_names=["one", "two"], **four)
        for row, name in enumerate(("one", "two")):
            model.set_adapter(name)
            alone = model(IDS, attention_mask=MASK).logits
            real = MASK[row].bool()
            torch.testing.assert_close(mixed[row, real], alone[row, real], atol=1e-5, rtol=1e-5)
            generated = model.generate(IDS, attention_mask=MASK.flip(1), **four)
            assert words[row].tolist() == generated[row].tolist()

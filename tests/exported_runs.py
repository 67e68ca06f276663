"""Tiny runs of each architecture with tokenizers of their own, to be exported."""

import torch
from oracles import BERT_HEADS, tiny_stock, twin
from transformers import GPT2LMHeadModel, MarianMTModel

import hf_xfmr
from hf_xfmr.tasks.translation.tokenizer_pair import TokenizerPair, ends_texts
from hf_xfmr.tokenizer import train

TEXTS = ["the quick brown fox jumps over the lazy dog", "pack my box with five dozen liquor jugs", "你好,世界"] * 3


def char_tokenizer(texts=TEXTS):
    return ends_texts(train(texts, "char", model_max_length=40))


def bert(folder, head: str):
    stock, ours = BERT_HEADS[head]
    twin(ours, tiny_stock(stock)).save_pretrained(folder)
    return folder


def gpt2(folder):
    tokenizer = train(TEXTS, "char", model_max_length=40)
    stock = tiny_stock(GPT2LMHeadModel, vocab_size=len(tokenizer) + 3)  # rows no token has
    twin(hf_xfmr.XfmrGPT2ForCausalLM, stock).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def transformer(folder, *, shared: bool = True, **config):
    """As recipes/translate.py makes it: interleaved positions, and a padding token that is not the last."""
    source = char_tokenizer()
    target = source if shared else char_tokenizer(TEXTS[2:3])
    sizes = {"vocab_size": len(source), "decoder_vocab_size": len(target), "share_encoder_decoder_embeddings": shared}
    special = {"pad_token_id": target.pad_token_id, "eos_token_id": target.eos_token_id}
    stock = tiny_stock(MarianMTModel, **sizes, **special, decoder_start_token_id=target.pad_token_id)
    made = hf_xfmr.XfmrConfig(**{**stock.config.to_dict(), "model_type": "xfmr", "position_layout": "interleaved"})
    torch.manual_seed(0)
    model = hf_xfmr.XfmrForConditionalGeneration(made).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.3 + (parameter.dim() == 1))
        model.final_logits_bias.normal_(std=0.1)
    model.generation_config.update(suppress_tokens=[target.pad_token_id], **config)
    model.save_pretrained(folder)
    TokenizerPair(source, target).save_pretrained(folder)
    return folder

"""Any trained tokenizer in an encoder's dress: `[CLS] a [SEP] b [SEP]`, token types and a `[MASK]`, as BERT reads."""

from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerFast

ENCODER_TOKENS = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}


def for_encoder(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The same pieces of text under the same ids, with three tokens more at the end of the vocabulary.

    For a `unigram` tokenizer, whose pieces are words in Chinese too, where WordPiece has characters: a small encoder
    made from scratch need not learn first which characters make a word.
    """
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.add_special_tokens(list(ENCODER_TOKENS.values()))
    cls, sep = ENCODER_TOKENS["cls_token"], ENCODER_TOKENS["sep_token"]
    backend.post_processor = processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
        special_tokens=[(cls, backend.token_to_id(cls)), (sep, backend.token_to_id(sep))],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=tokenizer.model_max_length,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        padding_side="right",
        clean_up_tokenization_spaces=False,
        pad_token=tokenizer.pad_token,
        unk_token=tokenizer.unk_token,
        **ENCODER_TOKENS,
    )

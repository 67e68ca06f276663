"""Tiny models of every kind, and a run with a checkpoint, that attacks begin from; made once."""

import json
import os
import sys
from pathlib import Path

TEXTS = ["the cat sat on the mat", "a dog ran in the park", "good film", "bad film", "it was a very good day"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", "good", "bad", "film", "the", "cat"]
BERT = {
    **{"vocab_size": len(WORDS), "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4},
    **{"intermediate_size": 48, "max_position_embeddings": 40},
}


def make_all(home: Path) -> None:
    """Write them into folders of `home`."""
    import torch
    from transformers import BertTokenizer

    import hf_xfmr
    from hf_xfmr.tasks.translation.tokenizer_pair import TokenizerPair, ends_texts
    from hf_xfmr.tokenizer import train

    torch.manual_seed(0)
    heads = {
        "bert": ("ForSequenceClassification", {"id2label": {0: "neg", 1: "pos"}, "label2id": {"neg": 0, "pos": 1}}),
        "tagger": ("ForTokenClassification", {"id2label": {0: "O", 1: "B-X"}, "label2id": {"O": 0, "B-X": 1}}),
        "masked": ("ForPreTraining", {}),
        "answers": ("ForQuestionAnswering", {}),
        "qa3": ("ForQuestionAnswering", {"num_labels": 3}),
    }
    for name, (head, options) in heads.items():
        config = hf_xfmr.XfmrBertConfig(**BERT, **options)
        config.text_window = {"max_length": 16, "over_long": "head", "overlap": None, "pair": False}
        getattr(hf_xfmr, f"XfmrBert{head}")(config).save_pretrained(home / name)
        BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}, model_max_length=16).save_pretrained(home / name)
    letters = train(TEXTS, "char", model_max_length=40)
    sizes = {"vocab_size": len(letters), "n_embd": 32, "n_layer": 1, "n_head": 4, "n_positions": 40}
    ends = {"bos_token_id": letters.eos_token_id, "eos_token_id": letters.eos_token_id, "pad_token_id": 0}
    for name, model in (("gpt2", "ForCausalLM"), ("gpt2-classifier", "ForSequenceClassification")):
        config = hf_xfmr.XfmrGPT2Config(**sizes, **ends)
        getattr(hf_xfmr, f"XfmrGPT2{model}")(config).save_pretrained(home / name)
        letters.save_pretrained(home / name)
    both = ends_texts(train(TEXTS, "char", model_max_length=40))
    sizes = {
        **{"vocab_size": len(both), "d_model": 32, "encoder_layers": 1, "decoder_layers": 1},
        **{"encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48},
        **{"max_position_embeddings": 40, "pad_token_id": both.pad_token_id, "eos_token_id": both.eos_token_id},
        "decoder_start_token_id": both.pad_token_id,
    }
    hf_xfmr.XfmrForConditionalGeneration(hf_xfmr.XfmrConfig(**sizes)).save_pretrained(home / "translator")
    TokenizerPair(both, both).save_pretrained(home / "translator")
    make_export(home)
    write_data(home)


def make_export(home: Path) -> None:
    """What an export of the classifier would be, but for its graph, which is none."""
    from hf_xfmr.engines import manifest

    (home / "graph").mkdir()
    for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (home / "graph" / file).write_bytes((home / "bert" / file).read_bytes())
    (home / "graph" / "model.onnx").write_bytes(b"no graph")
    told = {"engine": "onnx", "head": "AutoModelForSequenceClassification", "class": "BertForSequenceClassification"}
    manifest.write(home / "graph", {**told, "precision": "float32", "from": {"folder": "bert", "weights": None}})


def write_data(home: Path) -> None:
    """Small data sets, all good."""
    rows = [(f"the cat {'good' if n % 2 else 'bad'} film {n}", "pos" if n % 2 else "neg") for n in range(60)]
    (home / "good.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    (home / "pairs.tsv").write_text("en\tfr\n" + "".join(f"the cat {n}\tle chat {n}\n" for n in range(60)))
    (home / "questions.csv").write_text(
        "question,context,answer\n" + "".join(f"good film {n}?,the cat bad film {n},cat\n" for n in range(60))
    )
    (home / "corpus.txt").write_text(
        "\n\n".join(f"{text} {n}.\nAnd so it was {n}." for n in range(12) for text in TEXTS)
    )
    (home / "tags.jsonl").write_text(
        "".join(json.dumps({"tokens": ["the", "cat", str(n)], "ner_tags": ["O", "B-X", "O"]}) + "\n" for n in range(60))
    )


RECIPES = {  # how each is run on good data, in a second or two
    "classify_bert": ["--dataset", "good.csv", "--model", "bert", "--baseline", "false"],
    "tag_bert": ["--dataset", "tags.jsonl", "--model", "tagger", "--baseline", "none"],
    "answer_bert": ["--dataset", "questions.csv", "--model", "answers", "--baseline", "none"],
    "pretrain_bert": ["--dataset", "corpus.txt", "--model", "masked", "--separator", ""],
    "finetune_gpt2": ["--dataset", "corpus.txt", "--model", "gpt2", "--separator", ""],
    "translate": ["--dataset", "pairs.tsv", "--model", "translator", "--max_length", "30"],
}
SHORT = ["--output_dir", "out", "--max_steps", "2", "--report_to", "none", "--disable_tqdm", "true", "--bf16", "false"]
SHORT += ["--save_strategy", "steps", "--save_steps", "1", "--eval_strategy", "no", "--load_best_model_at_end", "false"]
SHORT += ["--per_device_train_batch_size", "4"]


def make_run(home: Path, engine) -> None:
    """A finished run of two steps with a checkpoint each, in `home`/run."""
    words = ["recipe", "classify_bert", *RECIPES["classify_bert"], *SHORT]
    done = engine.run(words, folder=home, limit=300)
    if done.code != 0:
        sys.exit(f"the run that attacks begin from failed: {done.stderr}")
    os.rename(home / "out", home / "run")

"""Fine-tune a Marian model on pairs of texts, in plain transformers style: nothing here knows of hf_xfmr.

python translation.py CHECKPOINT PAIRS.csv OUTPUT_DIR
"""

import json
import sys
import time

from datasets import load_dataset
from transformers import (
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
)


def main(checkpoint, pairs, output_dir):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForSeq2SeqLM.from_pretrained(checkpoint, dropout=0.0)

    def tokenize(batch):
        return tokenizer(batch["source"], text_target=batch["target"], truncation=True, max_length=128)

    dataset = load_dataset("csv", data_files=pairs, split="train")
    dataset = dataset.map(tokenize, batched=True, remove_columns=dataset.column_names)
    dataset = dataset.train_test_split(test_size=16, seed=0)

    trainer = Seq2SeqTrainer(
        model=model,
        args=Seq2SeqTrainingArguments(
            output_dir=output_dir,
            max_steps=8,
            per_device_train_batch_size=8,
            per_device_eval_batch_size=8,
            learning_rate=1e-3,
            logging_steps=1,
            save_steps=4,
            predict_with_generate=True,
            generation_max_length=12,
            bf16=False,
            disable_tqdm=True,
            seed=0,
        ),
        train_dataset=dataset["train"],
        eval_dataset=dataset["test"],
        data_collator=DataCollatorForSeq2Seq(tokenizer, model=model),
        processing_class=tokenizer,
    )
    start = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - start
    predicted = trainer.predict(dataset["test"])
    trainer.save_model()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    result = {"losses": losses, "eval_loss": predicted.metrics["test_loss"], "seconds": seconds}
    result["text"] = predicted.predictions.tolist()
    print(json.dumps({**result, "class": type(trainer.model).__mro__[0].__module__}))


if __name__ == "__main__":
    main(*sys.argv[1:])

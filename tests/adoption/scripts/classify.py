"""Fine-tune BERT to classify texts, in plain transformers style: nothing here knows of hf_xfmr.

python classify.py CHECKPOINT TEXTS.csv OUTPUT_DIR
"""

import json
import sys
import time

from datasets import load_dataset
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
)


def main(checkpoint, texts, output_dir):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForSequenceClassification.from_pretrained(
        checkpoint,
        num_labels=2,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )

    def tokenize(batch):
        return tokenizer(batch["text"], truncation=True, max_length=128)

    dataset = load_dataset("csv", data_files=texts, split="train").map(tokenize, batched=True)
    dataset = dataset.remove_columns("text").train_test_split(test_size=16, seed=0)

    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=output_dir,
            max_steps=8,
            per_device_train_batch_size=8,
            per_device_eval_batch_size=8,
            learning_rate=1e-3,
            logging_steps=1,
            save_steps=4,
            bf16=False,
            disable_tqdm=True,
            seed=0,
        ),
        train_dataset=dataset["train"],
        eval_dataset=dataset["test"],
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        compute_metrics=lambda p: {"accuracy": float((p.predictions.argmax(-1) == p.label_ids).mean())},
    )
    start = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - start
    metrics = trainer.evaluate()
    trainer.save_model()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    result = {"losses": losses, "eval_loss": metrics["eval_loss"], "seconds": seconds}
    print(json.dumps({**result, "class": type(trainer.model).__mro__[0].__module__}))


if __name__ == "__main__":
    main(*sys.argv[1:])

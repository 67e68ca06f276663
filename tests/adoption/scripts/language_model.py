"""Fine-tune GPT-2 on texts, in plain transformers style: nothing here knows of hf_xfmr.

python language_model.py CHECKPOINT TEXTS.csv OUTPUT_DIR
"""

import json
import sys
import time

from datasets import load_dataset
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainingArguments,
)


def main(checkpoint, texts, output_dir):
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForCausalLM.from_pretrained(checkpoint, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)

    def tokenize(batch):
        return tokenizer(batch["text"], truncation=True, max_length=128)

    dataset = load_dataset("csv", data_files=texts, split="train")
    dataset = dataset.map(tokenize, batched=True, remove_columns=dataset.column_names)
    dataset = dataset.train_test_split(test_size=16, seed=0)

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
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
        processing_class=tokenizer,
    )
    start = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - start
    metrics = trainer.evaluate()
    trainer.save_model()
    prompt = tokenizer("the", return_tensors="pt")
    text = tokenizer.decode(trainer.model.generate(**prompt, max_new_tokens=5, do_sample=False)[0])
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    result = {"losses": losses, "eval_loss": metrics["eval_loss"], "seconds": seconds, "text": text}
    print(json.dumps({**result, "class": type(trainer.model).__mro__[0].__module__}))


if __name__ == "__main__":
    main(*sys.argv[1:])

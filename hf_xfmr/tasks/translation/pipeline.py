"""`pipeline("xfmr-translation")`, for stock has none any more."""

import torch
from transformers import AutoModelForSeq2SeqLM, Pipeline
from transformers.pipelines import PIPELINE_REGISTRY

from ...engines.pytorch import Writer, generated
from .tokenizer_pair import TokenizerPair
from .translator import check_length, limited

TASK = "xfmr-translation"


class TranslationPipeline(Pipeline):
    """`pipeline("xfmr-translation", model)(text or texts)`: [{"translation_text": text}, ...].

    Further arguments, when it is made or called, are options of `model.generate`, such as `num_beams`.
    """

    _load_processor = _load_image_processor = _load_feature_extractor = False  # type: ignore[assignment]
    _load_tokenizer = True  # type: ignore[assignment]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        assert self.tokenizer is not None
        self.writer = Writer(self.model, trained=True)
        self.tokenizers = TokenizerPair.of(self.tokenizer, str(self.model.name_or_path), self.model.config)

    def _sanitize_parameters(self, **generate):
        return {}, generate, {}

    def preprocess(self, text: str) -> dict[str, torch.Tensor]:  # type: ignore[override]
        ids = self.tokenizers.source_ids([text])[0]
        check_length(self.writer.config, ids, f"{text[:40]!r}…")
        return {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.int64)}

    def _forward(self, inputs, **generate):  # type: ignore[override]
        return {"ids": generated(self.model, inputs, limited(self.writer.config, inputs["input_ids"], generate))}

    def postprocess(self, outputs) -> dict[str, str]:  # type: ignore[override]
        return {"translation_text": self.tokenizers.decode(outputs["ids"].tolist())[0]}

    def __call__(self, texts, **options):  # type: ignore[override]
        answers = super().__call__(texts, **options)
        return [answers] if isinstance(texts, str) else answers  # a list in any case, as stock's gave


PIPELINE_REGISTRY.register_pipeline(
    TASK, pipeline_class=TranslationPipeline, pt_model=AutoModelForSeq2SeqLM, type="text"
)

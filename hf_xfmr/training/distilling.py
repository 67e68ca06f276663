"""The trainer of a student: what its teacher said of each row lies beside the row."""

from typing import Any

import torch

from ..models.losses import cross_entropy
from .distillation import soft_loss, states_loss
from .trainer import XfmrTrainer

LOGITS, TAUGHT = "teacher_logits", "taught"  # what was said, and of which of a row's tokens
LABELLED = "labelled"  # whether a row has labels of its own


class DistillTrainer(XfmrTrainer):
    """Trains by the teacher's answers, the labels, and the states of the teacher's blocks. The mean of a batch: of its
    rows, or, where tokens are answered, of those that are `taught`."""

    settings: Any  # those of a distillation
    teacher: Any  # the model, which runs along where its states are learned

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        inputs = dict(inputs)
        wanted, taught, labelled = (inputs.pop(name, None) for name in (LOGITS, TAUGHT, LABELLED))
        if not model.training or wanted is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs.pop("labels")
        layers = self.layers(model)
        out = model(**inputs, output_hidden_states=bool(layers))
        own = out.logits if taught is None else out.logits[taught]
        share = self.settings.label_share
        loss = (1 - share) * self.softened(own, wanted if taught is None else wanted[taught])
        if share:
            own = out.logits if labelled is None else out.logits[labelled]
            loss = loss + share * self.of_labels(own, labels if labelled is None else labels[labelled])
        if layers:
            states = self.taught({name: one for name, one in inputs.items() if name != "window_row"}, states=True)
            loss = loss + self.of_states(out.hidden_states, states.hidden_states, layers, inputs)
        loss = self.part(loss)
        return (loss, out) if return_outputs else loss

    def softened(self, own: Any, wanted: Any) -> Any:
        """The loss of what the student says, against what its teacher says: logits [..., K] both."""
        return soft_loss(own, wanted, self.settings.temperature)

    def of_labels(self, logits: Any, labels: Any) -> Any:
        """The loss of the labels."""
        return cross_entropy(logits, labels)

    def layers(self, model: Any) -> list[int] | None:
        """Which of the teacher's blocks the student's were, where their states are learned."""
        return (
            getattr(getattr(model, "module", model), "layers_of_teacher", None) if self.settings.hidden_weight else None
        )

    @torch.no_grad()
    def taught(self, inputs: dict[str, Any], *, states: bool) -> Any:
        """What the teacher makes of a batch, without its head."""
        self.teacher.to(inputs["input_ids"].device)
        return self.teacher.base_model(**inputs, output_hidden_states=states)

    def of_states(self, own: Any, wanted: Any, layers: list[int], inputs: dict[str, Any]) -> Any:
        return self.settings.hidden_weight * states_loss(own, wanted, layers, inputs.get("attention_mask"))

    def part(self, loss: Any) -> Any:
        """Trainer leaves the steps that are summed to a loss that counts its items, and this is a mean."""
        return loss / self.args.gradient_accumulation_steps

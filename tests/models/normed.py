"""A model that brings its own code and whose body has a BatchNorm: its running statistics are buffers that training
moves. A counter, an exponential mean or a memory can be asked for in its place."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification

from tests import tiny

CONFIGURATION = """
from transformers import PretrainedConfig
class NormedConfig(PretrainedConfig):
    model_type = "normed"
    def __init__(self, vocab_size=40, hidden_size=8, kind="batch", **more):
        self.vocab_size, self.hidden_size, self.kind = vocab_size, hidden_size, kind
        super().__init__(**more)
"""
MODELING = """
import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput
from .configuration_normed import NormedConfig

class Mean(nn.Module):
    "Subtracts an exponential mean of what it saw in training; it is kept, or with kind=hidden not saved."
    def __init__(self, size, persistent, always):
        super().__init__()
        self.always = always
        self.register_buffer("seen", torch.zeros(size), persistent=persistent)
    def forward(self, x):
        if self.training or self.always:
            with torch.no_grad():
                self.seen.mul_(0.9).add_(0.1 * x.mean(0))
        return x - self.seen

class Body(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        kinds = {"mean": (True, False), "hidden": (False, False), "memory": (True, True)}
        batch = config.kind in ("batch", "headed")
        self.norm = nn.BatchNorm1d(config.hidden_size) if batch else Mean(config.hidden_size, *kinds[config.kind])
        self.mix = nn.Linear(config.hidden_size, config.hidden_size)
    def forward(self, input_ids, attention_mask):
        mask = attention_mask.unsqueeze(-1).float()
        return torch.tanh(self.mix(self.norm((self.embed(input_ids) * mask).sum(1) / mask.sum(1))))

class NormedForSequenceClassification(PreTrainedModel):
    config_class = NormedConfig
    base_model_prefix = "body"
    def __init__(self, config):
        super().__init__(config)
        self.body = Body(config)
        self.score = nn.Linear(config.hidden_size, config.num_labels)
        if config.kind == "headed":
            self.score = nn.Sequential(nn.BatchNorm1d(config.hidden_size), self.score)
        self.post_init()
    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, 0, 0.3)
    def get_input_embeddings(self):
        return self.body.embed
    def forward(self, input_ids=None, attention_mask=None, labels=None, **more):
        return SequenceClassifierOutput(logits=self.score(self.body(input_ids, attention_mask)))
"""


def save(folder: Path, kind: str = "batch") -> Path:
    """Save the model and its code; ``kind`` is batch, headed (the head has a norm too), mean, hidden (a mean
    that is not saved) or memory (moves in evaluation too)."""
    folder.mkdir(parents=True)
    (folder / "configuration_normed.py").write_text(CONFIGURATION)
    (folder / "modeling_normed.py").write_text(MODELING)
    config = {
        "model_type": "normed",
        "vocab_size": tiny.VOCABULARY,
        "hidden_size": 8,
        "kind": kind,
        "pad_token_id": tiny.PAD,
        "auto_map": {
            "AutoConfig": "configuration_normed.NormedConfig",
            "AutoModelForSequenceClassification": "modeling_normed.NormedForSequenceClassification",
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(3)
    made = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    AutoModelForSequenceClassification.from_config(made, trust_remote_code=True).save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config))
    return folder

"""Tiny random models of every architecture in ``conf/model``, made from a configuration; nothing is downloaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers as hf

from intdim.fingerprint import MODEL_FILES, fingerprint_folder
from intdim.spec import RunSpec

VOCABULARY = 40
PAD = 1

# name -> (configuration class, class of the body whose checkpoint is saved, options)
ARCHITECTURES: dict[str, tuple[type, type, dict[str, Any]]] = {
    "bert": (
        hf.BertConfig,
        hf.BertModel,
        {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12},
    ),
    "roberta": (
        hf.RobertaConfig,
        hf.RobertaForMaskedLM,
        {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12},
    ),
    "xlm-roberta": (
        hf.XLMRobertaConfig,
        hf.XLMRobertaForMaskedLM,
        {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12},
    ),
    "electra": (
        hf.ElectraConfig,
        hf.ElectraForPreTraining,
        {
            "embedding_size": 6,
            "hidden_size": 8,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 12,
        },
    ),
    "albert": (
        hf.AlbertConfig,
        hf.AlbertModel,
        {
            "embedding_size": 6,
            "hidden_size": 8,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "intermediate_size": 12,
        },
    ),
    "bart": (
        hf.BartConfig,
        hf.BartModel,
        {
            "d_model": 8,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 12,
            "decoder_ffn_dim": 12,
            "max_position_embeddings": 64,
            "eos_token_id": 2,
            "bos_token_id": 0,
            "decoder_start_token_id": 2,
            "forced_eos_token_id": None,
        },
    ),
    "t5": (
        hf.T5Config,
        hf.T5ForConditionalGeneration,
        {
            "d_model": 8,
            "d_kv": 4,
            "d_ff": 12,
            "num_layers": 2,
            "num_heads": 2,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
        },
    ),
    "xlnet": (hf.XLNetConfig, hf.XLNetLMHeadModel, {"d_model": 8, "n_layer": 2, "n_head": 2, "d_inner": 12}),
    "distilbert": (hf.DistilBertConfig, hf.DistilBertModel, {"dim": 8, "n_layers": 2, "n_heads": 2, "hidden_dim": 12}),
    "deberta-v2": (
        hf.DebertaV2Config,
        hf.DebertaV2Model,
        {
            "hidden_size": 8,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 12,
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_buckets": 8,
        },
    ),
    "modernbert": (
        hf.ModernBertConfig,
        hf.ModernBertModel,
        {
            "hidden_size": 8,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 12,
            "eos_token_id": 2,
            "bos_token_id": 0,
            "cls_token_id": 0,
            "sep_token_id": 2,
        },
    ),
    "gpt2": (
        hf.GPT2Config,
        hf.GPT2LMHeadModel,
        {"n_embd": 8, "n_layer": 2, "n_head": 2, "bos_token_id": 0, "eos_token_id": 2},
    ),
    "gpt-neox": (
        hf.GPTNeoXConfig,
        hf.GPTNeoXForCausalLM,
        {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12},
    ),
    "llama": (
        hf.LlamaConfig,
        hf.LlamaForCausalLM,
        {
            "hidden_size": 8,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "intermediate_size": 12,
            "tie_word_embeddings": True,
        },
    ),
}


def save(name: str, folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Save a tiny random checkpoint of an architecture (body with its pre-training head) and return its folder."""
    kind, body, options = ARCHITECTURES[name]
    torch.manual_seed(7)
    config = kind(vocab_size=VOCABULARY, pad_token_id=PAD, **options)
    model = body(config).to(dtype)
    model.save_pretrained(folder)
    return folder


def named_after(spec: RunSpec, folder: Path) -> RunSpec:
    """Return a run of the weights in a folder, as preparation would have named them."""
    return replace(spec, model=replace(spec.model, fingerprint=fingerprint_folder(folder, MODEL_FILES)))


def save_tokenizer(folder: Path, first: str = "<s>", **settings: Any) -> Path:
    """Save a word tokenizer of ``VOCABULARY`` words (<s> <pad> </s> <unk> w4 w5 ...) and return its folder.

    ``first`` is word number 0; ``settings`` are those of ``PreTrainedTokenizerFast``: pad_token, eos_token...
    """
    words = [first, "<pad>", "</s>", "<unk>", *(f"w{number}" for number in range(4, VOCABULARY))]
    model = tokenizers.models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>")
    made = tokenizers.Tokenizer(model)
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    hf.PreTrainedTokenizerFast(tokenizer_object=made, **settings).save_pretrained(folder)
    return folder

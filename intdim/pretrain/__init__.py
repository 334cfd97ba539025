"""Masked-LM pre-training: its loop, objectives, texts and packing."""

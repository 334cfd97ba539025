"""Weights to fine-tune: where they are, what their small files say, how they are loaded."""

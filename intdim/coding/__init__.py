"""Coding a trained subspace: quantisation to a small codebook, and a message that is decoded bit for bit.

The code is prefix-free: a decoder finds the end of a message by itself, so over all messages the sum of 2^-bits is at
most 1 (Kraft's inequality). That makes the length of a message valid in a bound. No torch, no files.
"""

from __future__ import annotations

from intdim.coding.codebook import Codebook, fit
from intdim.coding.message import CODE_VERSION, Damaged, Message, decode, encode, seed_origin

__all__ = ["CODE_VERSION", "Codebook", "Damaged", "Message", "decode", "encode", "fit", "seed_origin"]

"""The code of a trained subspace: quantisation to a small codebook and a message that is decoded bit for bit.

The code is prefix-free: a decoder that reads on finds the end of a message by itself, so that over all messages the sum
of 2^-bits is at most 1. That is what a bound may charge for. No torch, no files.
"""

from __future__ import annotations

from intdim.coding.codebook import Codebook, fit
from intdim.coding.message import CODE_VERSION, Damaged, Message, decode, encode, seed_origin

__all__ = ["CODE_VERSION", "Codebook", "Damaged", "Message", "decode", "encode", "fit", "seed_origin"]

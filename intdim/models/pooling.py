"""Pooling by the attention mask, for heads that look for a place by the numbers of the tokens.

A decoder's head reads the last place whose token is not the padding token; BART's and T5's read the last end token.
Text can hold either: a tokenizer without a padding token pads with a word, and ``<unk>`` is also what a smiley becomes.
The model stays as transformers makes it. Its head is shown numbers that say what the attention mask says, while the
body gets the real ones, so that the head's own search ends at the last attended place. Where text holds no such token,
the numbers are the same as without it, bit for bit.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import torch
from torch import Tensor, nn

from intdim.errors import UserError

SEARCHES = re.compile(r"pad_token_id|eos_token_id|eos_mask|sep_token_id")  # what a head's search is recognised by
FOR_THE_END = re.compile(r"eos_token_id|eos_mask")


def pool_by_mask(model: nn.Module, body: nn.Module) -> None:
    """Let the head of a classifier find its place by the attention mask, if it looks for it by tokens or at one end.

    Args:
        model: a classifier of transformers; its configuration has a padding token.
        body: its base model.
    """
    source = forward_source(model)
    summaries = [
        module
        for module in model.modules()
        if type(module).__name__.endswith("SequenceSummary") and hasattr(module, "summary_type")
    ]
    searches = source is None or bool(SEARCHES.search(source))
    if not searches and not summaries:
        return

    by_end = source is not None and bool(FOR_THE_END.search(source))
    pooling = MaskPooling(model, by_end=by_end, searches=searches)
    model.register_forward_pre_hook(pooling.begin, with_kwargs=True)
    model.register_forward_hook(pooling.finish, always_call=True)
    if searches:
        body.register_forward_pre_hook(pooling.show_body, with_kwargs=True)
    for module in summaries:
        module.register_forward_pre_hook(pooling.summarise)


def forward_source(model: nn.Module) -> str | None:
    """Return the source of a model's own forward and of those it inherits, None where it cannot be read."""
    own = [vars(kind)["forward"] for kind in type(model).__mro__ if kind is not nn.Module and "forward" in vars(kind)]
    try:
        return "\n".join(inspect.getsource(inspect.unwrap(function)) for function in own)
    except (OSError, TypeError):
        return None


def searches_for_padding(model: nn.Module) -> bool:
    """Tell whether a head, left to itself, would look for the last token that is not the padding token."""
    source = forward_source(model)
    return source is None or bool(SEARCHES.search(source) and not FOR_THE_END.search(source))


def ends_with_end_token(model: nn.Module) -> int | None:
    """Return the token that every example must end with (the head reads its place), None where any will do."""
    source = forward_source(model)
    config: Any = model.config
    if source is None or not FOR_THE_END.search(source):
        return None
    return config.eos_token_id if isinstance(config.eos_token_id, int) else None


class MaskPooling:
    """The state of one forward pass: the mask, the real tokens, and the ones that the head is shown.

    Args:
        model: the classifier.
        by_end: its head looks for the last end token, not for the last token that is no padding.
        searches: its head looks for a token at all.
    """

    def __init__(self, model: nn.Module, *, by_end: bool, searches: bool) -> None:
        self.model, self.by_end, self.searches = model, by_end, searches
        self.names = list(inspect.signature(model.forward).parameters)
        self.mask: Tensor | None = None
        self.real: Tensor | None = None
        self.shown: Tensor | None = None
        self.body_has_real = False

    def begin(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[()], dict]:
        """Before the classifier: put other numbers in the tokens' place, where there is a mask."""
        inputs = dict(zip(self.names, args, strict=False)) | kwargs
        ids, mask = inputs.get("input_ids"), inputs.get("attention_mask")
        self.mask = self.real = self.shown = None
        self.body_has_real = False
        if isinstance(ids, Tensor) and isinstance(mask, Tensor) and ids.shape == mask.shape and ids.ndim == 2:
            self.mask = mask != 0
            if self.searches:
                self.real, self.shown = ids, self._numbers(self.mask).to(ids.dtype)
                inputs["input_ids"] = self.shown
        return (), inputs

    def show_body(
        self, body: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Before the body: the real tokens take their place again."""
        if self.real is None:
            return None
        shift = getattr(self.model, "_shift_right", None)
        given = {name: self._real(value) for name, value in kwargs.items()}
        if given.get("decoder_input_ids") is not None and shift is not None:  # T5 made them of what it was shown
            given["decoder_input_ids"] = shift(self.real)
        return tuple(self._real(value) for value in args), given

    def summarise(self, summary: Any, args: Any) -> tuple[Any, ...] | None:
        """Before a summary of the hidden states (B, T, H): leave it the one place (B, 1, H) that it is to read."""
        if self.mask is None or len(args) > 1:
            return None
        hidden, kind = args[0], summary.summary_type
        if kind == "mean":
            weights = self.mask.to(hidden.dtype).unsqueeze(-1)
            return ((hidden * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True),)
        place = first_place(self.mask) if kind == "first" else last_place(self.mask)
        return (hidden[torch.arange(len(hidden), device=hidden.device), place].unsqueeze(1),)

    def finish(self, model: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """After the classifier: forget the batch; refuse a model whose body did not get the real tokens."""
        unseen = self.real is not None and not self.body_has_real and output is not None
        self.mask = self.real = self.shown = None
        if unseen:
            raise UserError(
                f"{type(model).__name__} does not give its tokens to its base model as they are",
                "a classifier whose base model takes input_ids",
                "Correct the model's own code.",
            )

    def _real(self, value: Any) -> Any:
        """Return the real tokens in place of the shown ones, other values as they are."""
        if self.shown is None or self.real is None or not isinstance(value, Tensor):
            return value
        if value.data_ptr() != self.shown.data_ptr() or value.numel() != self.shown.numel():
            return value
        self.body_has_real = True
        return self.real.view(value.shape)

    def _numbers(self, mask: Tensor) -> Tensor:
        """Return tokens (B, T) in which the search of the head ends at the last attended place."""
        if not self.by_end:
            pad = padding_token(self.model)
            return torch.where(mask, pad + 1, pad)
        config: Any = self.model.config
        end = int(config.eos_token_id)
        numbers = torch.full_like(mask, end + 1, dtype=torch.int64)
        return numbers.scatter(1, last_place(mask).unsqueeze(1), end)


def padding_token(model: nn.Module) -> int:
    """Return the padding token that a head looks for."""
    config: Any = model.config
    text = config.get_text_config()
    found = getattr(text, "pad_token_id", None)
    return int(config.pad_token_id if found is None else found)


def last_place(mask: Tensor) -> Tensor:
    """Return the last attended place (B,) of a mask (B, T)."""
    return (torch.arange(mask.shape[1], device=mask.device) * mask).argmax(1)


def first_place(mask: Tensor) -> Tensor:
    """Return the first attended place (B,) of a mask (B, T)."""
    return mask.to(torch.int64).argmax(1)

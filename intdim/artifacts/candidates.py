"""The ways in which a run's z is quantised, and their scores: first on a sample, the best ones on all examples."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from intdim.artifacts.contents import message_of, quantised_scales
from intdim.artifacts.scorer import Scorer
from intdim.bounds import occam_binomial
from intdim.coding import Message, encode, fit
from intdim.coding.message import Block
from intdim.request import BoundRequest
from intdim.spec import RunSpec

SLACK = 0.03  # a candidate is passed over if even an error this much below the unquantised one could not make it best
PRESSURES = (0.0, 0.1, 0.3)  # of the codebook's assignment: see intdim/coding/codebook.py
SCALE_LEVELS = 5  # of SAID's scales
SMALLEST = 2  # of the smallest codebooks, the plainest candidate of each is trained on beside the best


@dataclass(frozen=True, eq=False)
class Candidate:
    """A quantised z: in words, as a message of ``bits`` bits, and the pressure towards common levels it was made with.

    ``precise_z`` (d - m,) is the z in full precision that training under quantisation left, from which it can go on;
    None: the run's own."""

    name: str
    message: Message
    bits: int
    pressure: float
    precise_z: Tensor | None = None

    @property
    def levels(self) -> int:
        """Levels of the codebook of z."""
        return len(self.message.z.book.multiples)


@dataclass(frozen=True, eq=False)
class Scored:
    """A candidate, the share of training examples (all or a sample) that it gets wrong, and the bound at that error."""

    candidate: Candidate
    error: float
    bound: float


def quantisations(spec: RunSpec, state: dict[str, Tensor], settings: BoundRequest) -> list[Candidate]:
    """Return a run's z quantised in every way that is tried, short messages first, each message once."""
    scales = quantised_scales(state, SCALE_LEVELS)
    made: dict[bytes, Candidate] = {}

    for kind in settings.codebooks:
        for levels in settings.levels:
            for pressure in PRESSURES:
                book, chosen = fit(state["z"].numpy(), levels, kind, pressure)
                message = message_of(spec, Block(book, tuple(chosen.tolist())), scales)
                data, bits, _ = encode(message)
                name = f"{kind}, {len(book.multiples)} levels, pressure {pressure:g}"
                made.setdefault(data, Candidate(name, message, bits, pressure))

    return sorted(made.values(), key=lambda candidate: candidate.bits)


def screen(scorer: Scorer, candidates: list[Candidate], unquantised_error: float, delta: float) -> list[Scored]:
    """Score candidates on a sample, but for those whose length alone rules them out; return them best first."""
    best, scored = math.inf, list[Scored]()

    for candidate in candidates:
        lowest = min(unquantised_error, min((one.error for one in scored), default=1.0))
        hoped_for = occam_binomial(max(0.0, lowest - SLACK), candidate.bits, scorer.n, delta)
        if hoped_for > best:
            continue
        scorer.put(candidate.message)
        error = scorer.train_error(scorer.sample)
        scored.append(Scored(candidate, error, occam_binomial(error, candidate.bits, scorer.n, delta)))
        best = min(best, scored[-1].bound)

    return sorted(scored, key=lambda one: one.bound)


def score(scorer: Scorer, candidate: Candidate, delta: float) -> Scored:
    """Score a candidate on all training examples: the bound is its certificate."""
    scorer.put(candidate.message)
    error = scorer.train_error()
    return Scored(candidate, error, occam_binomial(error, candidate.bits, scorer.n, delta))


def starting_points(best: Candidate, candidates: list[Candidate]) -> list[Candidate]:
    """Return what is trained on: the best candidate, and the plainest ones with the fewest levels, which gain most."""
    chosen = [best]
    for levels in sorted({candidate.levels for candidate in candidates})[:SMALLEST]:
        alike = [candidate for candidate in candidates if candidate.levels == levels]
        plainest = min(alike, key=lambda candidate: (candidate.pressure, candidate.bits))
        if plainest not in chosen:
            chosen.append(plainest)
    return chosen

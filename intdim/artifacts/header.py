"""What an artifact says about the model it rebuilds, as a type: written into the file's header, checked on reading."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from intdim.coding import CODE_VERSION
from intdim.models.load import Head
from intdim.run.machine import versions
from intdim.run.objective import find_objective
from intdim.spec import STREAM_VERSION, ModelSpec, SubspaceSpec, from_dict

FORMAT = 2  # raised by hand when an artifact of this version would be misread by an older one
KINDS = ("exact", "coded")
VERSIONS = {"format": FORMAT, "stream_version": STREAM_VERSION, "code_version": CODE_VERSION}


@dataclass(frozen=True)
class Recipe:
    """What rebuilds a model: theta_0 from ``model`` and the ``head`` drawn from ``seed``, P from ``subspace``, ``d``
    and ``seed``."""

    model: ModelSpec
    subspace: SubspaceSpec
    d: int
    seed: int
    head: Head
    pad_token_id: int


@dataclass(frozen=True)
class Header:
    """The content of an artifact's header.

    Attributes:
        kind: ``exact`` (z and the scales as float32) or ``coded`` (one message).
        base: theta_0 without its head.
        subspace: where the run could move.
        D: weights inside the subspace.
        d: trained numbers, the scales of SAID included.
        seed: of the run; it decides the projection and the head.
        objective: a name in ``spec.OBJECTIVES``.
        outputs: of the head.
        label_names: the classes in the order of their numbers, empty where the objective has none.
        pad_token_id: of the tokenizer.
        theta_0: hash of the model before training, see ``rebuild.hash_of``.
        theta: hash of the rebuilt model.
        theta_norm: Euclidean norm of the rebuilt weights inside the subspace.
        run_id: the run it was made from.
        task: what that run's task is called.
        metric: name of its scores.
        scores: of the run, by name; empty for a coded artifact, whose z is another.
        message_bits: length of the message; None for an exact artifact.
        format: version of this header.
        stream_version: of the random numbers behind P.
        code_version: of the message.
        versions: of the packages that a number may depend on.
        seal: hash of the other fields and the tensors, see ``file.seal_of``; empty before it is written.
    """

    kind: str
    base: ModelSpec
    subspace: SubspaceSpec
    D: int
    d: int
    seed: int
    objective: str
    outputs: int
    label_names: tuple[str, ...]
    pad_token_id: int
    theta_0: str
    theta: str
    theta_norm: float
    run_id: str
    task: str
    metric: str
    scores: dict[str, float | None]
    message_bits: int | None
    format: int = FORMAT
    stream_version: int = STREAM_VERSION
    code_version: int = CODE_VERSION
    versions: dict[str, str] = field(default_factory=versions)
    seal: str = ""

    @property
    def recipe(self) -> Recipe:
        """How the model is rebuilt; the message of a coded artifact has its own subspace, d and seed."""
        head = find_objective(self.objective).head(self.label_names)
        return Recipe(self.base, self.subspace, self.d, self.seed, head, self.pad_token_id)

    @classmethod
    def of(cls, data: Any) -> Header:
        """Return the header in ``to_dict``'s form. A seal can be made by anyone, so its values are checked too.

        Raises:
            ValueError: a field is missing, unknown, of another type, or cannot be.
        """
        header = from_dict(cls, data)

        if header.kind not in KINDS:
            raise ValueError(f"kind={header.kind!r}")
        if header.recipe.head.outputs != header.outputs:
            raise ValueError(f"outputs={header.outputs} for {len(header.label_names)} classes")
        if not (math.isfinite(header.theta_norm) and header.theta_norm >= 0):
            raise ValueError(f"theta_norm={header.theta_norm!r}")
        return header


def versions_text(found: Any) -> str:
    """Return the versions of an artifact, as far as they are known, for a message."""
    names = ("intdim", "torch", "transformers")
    return ", ".join(f"{name} {found[name]}" for name in names if name in found) if isinstance(found, dict) else "?"

"""What an artifact says about the model it rebuilds, as a type: written into the file's header, checked on reading."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from intdim.coding import CODE_VERSION
from intdim.models.load import Head
from intdim.run.machine import versions
from intdim.run.objective import find_objective
from intdim.spec import PROJECTIONS, SCOPES, ModelSpec, SubspaceSpec, from_dict, stream_version

FORMAT = 2  # raised by hand when an artifact of this version would be misread by an older one
KINDS = ("exact", "coded")
HASH, FINGERPRINT = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
REFERENCES = {  # what a base may be called, by where it is from
    "builtin": re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}"),
    "hub": re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}(/[0-9A-Za-z][0-9A-Za-z._-]{0,99})?"),
    "local": re.compile(""),
}
MOST_WEIGHTS = 1 << 40  # D: no model has more
MOST_NUMBERS = 1 << 30  # d
MOST_PATTERNS, LONGEST_PATTERN = 1_000, 1_000


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
        stream_version: of the random numbers behind P.
        format: version of this header.
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
    stream_version: int
    format: int = FORMAT
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
        _check_base(header.base)
        _check_subspace(header.subspace)
        _check_numbers(header)
        if header.recipe.head.outputs != header.outputs:
            raise ValueError(f"outputs={header.outputs} for {len(header.label_names)} classes")
        if not (math.isfinite(header.theta_norm) and header.theta_norm >= 0):
            raise ValueError(f"theta_norm={header.theta_norm!r}")
        return header


def versions_in_force(data: dict[str, Any]) -> dict[str, int]:
    """Return the versions that an artifact of this projection must have; ``data`` is a header that nobody checked."""
    subspace = data.get("subspace")
    projection = str(subspace.get("projection")) if isinstance(subspace, dict) else ""
    return {"format": FORMAT, "stream_version": stream_version(projection), "code_version": CODE_VERSION}


def _check_base(base: ModelSpec) -> None:
    """Raise ``ValueError`` for a base that is none: its reference and its fingerprint become parts of paths."""
    if base.source not in REFERENCES or not REFERENCES[base.source].fullmatch(base.reference):
        raise ValueError(f"base.reference={base.reference!r} of base.source={base.source!r}")
    if ".." in base.reference or not FINGERPRINT.fullmatch(base.fingerprint):
        raise ValueError(f"base.fingerprint={base.fingerprint!r} of {base.reference!r}")


def _check_subspace(subspace: SubspaceSpec) -> None:
    """Raise ``ValueError`` for a name that is none, and for more patterns than anyone writes."""
    for name, known in (("method", ("did", "said")), ("projection", PROJECTIONS), ("scope", SCOPES)):
        if getattr(subspace, name) not in known:
            raise ValueError(f"subspace.{name}={getattr(subspace, name)!r}")
    if len(subspace.exclude) > MOST_PATTERNS or max(map(len, subspace.exclude), default=0) > LONGEST_PATTERN:
        raise ValueError(f"{len(subspace.exclude)} patterns in subspace.exclude")


def _check_numbers(header: Header) -> None:
    """Raise ``ValueError`` for sizes that no model has, and for hashes that are none."""
    if not 1 <= header.d <= min(header.D, MOST_NUMBERS) or header.D > MOST_WEIGHTS:
        raise ValueError(f"d={header.d} of D={header.D}")
    for name in ("seed", "pad_token_id"):
        if not 0 <= getattr(header, name) < 1 << 63:
            raise ValueError(f"{name}={getattr(header, name)}")
    for name in ("theta_0", "theta"):
        if not HASH.fullmatch(getattr(header, name)):
            raise ValueError(f"{name}={getattr(header, name)!r}")
    if (header.kind == "coded") != (header.message_bits is not None) or (header.message_bits or 0) < 0:
        raise ValueError(f"message_bits={header.message_bits} of kind={header.kind!r}")


def versions_text(found: Any) -> str:
    """Return the versions of an artifact, as far as they are known, for a message."""
    names = ("intdim", "torch", "transformers")
    return ", ".join(f"{name} {found[name]}" for name in names if name in found) if isinstance(found, dict) else "?"

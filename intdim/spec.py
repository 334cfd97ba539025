"""What a run and a sweep are: typed, complete, and named by a hash of everything that decides their numbers.

``RunSpec`` holds all that can change a result; ``run_id`` hashes what of it decides the numbers (never a difference
from defaults). What only changes *how* a run runs (device, slots, folders) is a ``Runtime`` and cannot enter the hash.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import types
import typing
from dataclasses import dataclass
from typing import Any, TypeVar

from intdim.errors import UserError

STREAM_VERSION = 3  # raised by hand when the random numbers behind all projections change
STREAM_VERSIONS = {"one_hot": 4}  # of those whose own numbers changed since then
OF_PROJECTION = 0  # stands for the stream version of the spec's projection
TRAINING_VERSION = 6  # raised by hand when the training loop would give other numbers for the same RunSpec
LAYOUT_VERSION = 5  # raised by hand when the files under ``out`` change shape

METHODS = ("did", "said", "full")
SCOPES = ("global", "layer", "tensor", "tensor_turns")
GROUPS = ("layer", "module", "tensor")
THRESHOLDS = ("absolute", "above_chance")
BOTH = "both"  # absolute, and then further runs for above_chance
STATUSES = ("found", "below_range", "above_range", "not_monotone", "no_baseline", "no_learning", "budget_spent")

CROSSED, CONVERGED = "crossed", "converged"  # why a run ended before its last step

# Names of parts and where they are (module:class). Adding a part adds a line here; nothing else lists the names.
PROJECTIONS: dict[str, str] = {
    "dense": "intdim.projections.dense:Dense",
    "sparse": "intdim.projections.sparse:Sparse",
    "fastfood": "intdim.projections.fastfood:Fastfood",
    "fastfood_padded": "intdim.projections.fastfood_padded:FastfoodPadded",
    "orthogonal": "intdim.projections.orthogonal:Orthogonal",
    "one_hot": "intdim.projections.one_hot:OneHot",
    "kronecker": "intdim.projections.kronecker:Kronecker",
}
MOST_ENTRIES = 10**9  # of ``sparse``: products of more would take longer than training, and storing them more memory
OBJECTIVES: dict[str, str] = {
    "classification": "intdim.run.objective:Classification",
    "regression": "intdim.run.objective:Regression",
}

Scalar = str | int | float | bool | None
T = TypeVar("T")


@dataclass(frozen=True)
class ModelSpec:
    """theta_0: which weights, by content.

    ``source`` is ``builtin``, ``hub`` or ``local``; ``reference`` the built-in name or the hub id ("" for local: the
    path is no part of an identity); ``fingerprint`` the hub commit or the hash of the folder's content.
    """

    name: str
    source: str
    reference: str
    revision: str
    fingerprint: str
    random_init: bool
    init_seed: int
    overrides: dict[str, Scalar]
    trust_remote_code: bool
    gradient_checkpointing: bool


@dataclass(frozen=True)
class TaskSpec:
    """The data, by content, and how it is read. ``objective`` is a name in ``OBJECTIVES``; ``label_names`` are the
    classes in the order of their numbers, empty where the objective has none; ``positive`` is the class that the
    metric counts as found (F1), empty where it counts all alike; ``holdout`` is the share of the training rows that
    serves as evaluation split, 0 where there is one."""

    name: str
    source: str
    reference: str
    version: int
    fingerprint: str
    text: tuple[str, ...]
    label: str
    label_names: tuple[str, ...]
    objective: str
    metric: str
    max_length: int
    train_split: str
    eval_split: str
    max_train: int
    max_eval: int
    selection: str
    positive: str = ""
    holdout: float = 0.0


@dataclass(frozen=True)
class SubspaceSpec:
    """Where the run may move: method did, said or full; for ``full`` projection, scope and groups are ``none``."""

    method: str
    projection: str
    scope: str
    groups: str
    exclude: tuple[str, ...]


@dataclass(frozen=True)
class TrainSpec:
    """One training loop. ``max_steps`` 0 means ``epochs`` decides; ``clip`` 0 means no clipping; ``warmup`` is a
    fraction of all steps; ``weight_decay`` acts on full fine-tuning alone; ``evaluations`` is how often over the run
    the evaluation split is scored when epochs are long (at least once an epoch and at the end); ``patience`` is after
    how many evaluations without a gain, losses flat, a run has converged and ends (0: it never does)."""

    epochs: float
    max_steps: int
    batch_size: int
    accumulation: int
    warmup: float
    clip: float
    weight_decay: float
    beta1: float
    beta2: float
    epsilon: float
    precision: str
    evaluations: int
    patience: int


@dataclass(frozen=True)
class RunSpec:
    """One training. ``d`` is 0 and ``step_length`` 0.0 for full fine-tuning, which has a ``learning_rate``; a run in
    a subspace has d >= 1, a ``step_length`` s = lr sqrt(d), and ``learning_rate`` 0.0. ``stop_at`` is the selection
    score at which the run ends, its score then being a lower bound (None: it goes on). ``threads`` share the sums on a
    CPU, so that their number decides the rounding; 0 on a GPU."""

    model: ModelSpec
    task: TaskSpec
    subspace: SubspaceSpec
    train: TrainSpec
    d: int
    step_length: float
    learning_rate: float
    seed: int
    stop_at: float | None = None
    stream_version: int = OF_PROJECTION
    training_version: int = TRAINING_VERSION
    threads: int = 1

    def __post_init__(self) -> None:
        _choose_stream(self)

    @property
    def run_id(self) -> str:
        """16 hex digits over all that decides the numbers, see ``run_identity``."""
        return digest(run_identity(self))


@dataclass(frozen=True)
class SearchSpec:
    """How d90 is searched. ``batch`` dimensions are asked for at once (a property of the search, not of the machine,
    so that the verdict does not depend on how many slots there are); ``seeds`` on each side of the bracket;
    ``resamples`` of the evaluation examples make the interval (0: it then covers seeds alone). The search by
    ``posterior`` ends when both ends of the interval are within the factor ``narrow`` of d90, or after ``enough`` runs
    if d90 is found by then, and goes on to ``max_runs`` otherwise."""

    name: str
    d_min: int
    d_max: int
    max_runs: int
    fraction: float
    threshold: str
    seeds: int
    batch: int
    grid_points: int
    resamples: int
    narrow: float = 1.26
    enough: int = 14


@dataclass(frozen=True)
class SweepSpec:
    """One cell: everything that decides one d90."""

    model: ModelSpec
    task: TaskSpec
    subspace: SubspaceSpec
    train: TrainSpec
    search: SearchSpec
    step_lengths: tuple[float, ...]
    learning_rates: tuple[float, ...]
    baseline_seeds: int
    seed: int
    stream_version: int = OF_PROJECTION
    training_version: int = TRAINING_VERSION
    threads: int = 1

    def __post_init__(self) -> None:
        _choose_stream(self)

    @property
    def sweep_id(self) -> str:
        """16 hex digits over all that decides the numbers, see ``sweep_identity``."""
        return digest(sweep_identity(self))


@dataclass(frozen=True)
class DataFacts:
    """What a reader should know of the data before believing a number.

    Attributes:
        text: the columns that were read as text, by their names in the data.
        label: the column that was read as label.
        classes: the classes in the order of their numbers, empty for real scores.
        positive: the class that the metric counts as found, empty where it counts all alike.
        truncated: share of the examples of both splits that were cut at ``max_length``.
        median_tokens: median length of an example before cutting.
        length_for_1_percent: the ``task.max_length`` that would cut at most 1 % of the examples.
        overlap: share of the evaluation rows that also stand in the training split.
        notes: what was decided by the program, in sentences (a held-out split, labels that were taken as classes).
        warnings: what makes a number doubtful, in sentences.
    """

    text: tuple[str, ...] = ()
    label: str = ""
    classes: tuple[str, ...] = ()
    positive: str = ""
    truncated: float = 0.0
    median_tokens: int = 0
    length_for_1_percent: int = 0
    overlap: float = 0.0
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What preparation found out about a cell: sizes, the majority-class score, and where the prepared files lie.

    ``groups`` gives m for each kind of group, ``chance`` the score of always answering the majority class of the
    training labels on the evaluation split, in the task's metric, and ``chance_se`` its standard error."""

    D: int
    groups: dict[str, int]
    tensors: int
    train_examples: int
    eval_examples: int
    chance: float
    chance_se: float
    tokens_per_example: float
    model_folder: str
    task_folder: str
    data: DataFacts = DataFacts()

    def scales(self, subspace: SubspaceSpec) -> int:
        """Return m, the scales that are counted in d: none unless the method is SAID."""
        return self.groups[subspace.groups] if subspace.method == "said" else 0


@dataclass(frozen=True)
class Prepared:
    """A cell's model and task, resolved to their content, and the facts about them."""

    model: ModelSpec
    task: TaskSpec
    facts: Facts


@dataclass(frozen=True)
class Runtime:
    """How runs run on this machine; none of it may change a number on the same kind of device, but ``compile`` (auto,
    true, false) its rounding."""

    out: str
    device: str
    slots: int
    threads: int
    model_folder: str
    task_folder: str
    checkpoint_seconds: float
    compile: str = "auto"


def stream_version(projection: str) -> int:
    """Return the version of the random numbers behind a projection."""
    return STREAM_VERSIONS.get(projection, STREAM_VERSION)


def _choose_stream(spec: RunSpec | SweepSpec) -> None:
    if spec.stream_version == OF_PROJECTION:
        object.__setattr__(spec, "stream_version", stream_version(spec.subspace.projection))


def to_dict(spec: Any) -> dict[str, Any]:
    """Return a dataclass as plain JSON types (tuples become lists)."""
    return json.loads(json.dumps(dataclasses.asdict(spec), allow_nan=False))


def from_dict(kind: type[T], data: Any) -> T:
    """Rebuild a dataclass of this module from ``to_dict``'s output; every field must be there and no other.

    Raises:
        ValueError: a field is missing, unknown, or of another type.
    """
    value = _convert(kind, data, kind.__name__)
    return typing.cast(T, value)


def digest(spec: Any) -> str:
    """Return 16 hex digits of the SHA-256 of the canonical JSON of a dataclass or of plain JSON data."""
    plain = spec
    if dataclasses.is_dataclass(spec) and not isinstance(spec, type):  # typed first: 1 and 1.0 are one identity
        plain = to_dict(from_dict(type(spec), to_dict(spec)))
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


# -- identity: what decides the numbers, and nothing else --------------------------------------------------------------


def run_identity(spec: RunSpec) -> dict[str, Any]:
    """Return what ``run_id`` hashes: all that decides a run's numbers, in one form for each of them.

    Left out are names and places (content has a fingerprint), what only saves memory, and what the run does not use:
    weight decay in a subspace, the groups of a method without scales, the stream of random numbers without a
    projection, epochs where ``max_steps`` decides.
    """
    full = spec.subspace.method == "full"
    plain = _typed(spec)
    plain["model"], plain["task"] = _model_identity(spec.model), _task_identity(spec.task)
    plain["subspace"], plain["train"] = _subspace_identity(spec.subspace), _train_identity(spec.train)
    if full:
        del plain["stream_version"]
        if spec.train.precision == "bf16-stochastic":  # of weights that are written anew: full fine-tuning has none
            plain["train"]["precision"] = "bf16"
    else:
        del plain["train"]["weight_decay"]
    return plain


def sweep_identity(spec: SweepSpec) -> dict[str, Any]:
    """Return what ``sweep_id`` hashes; see ``run_identity``. Lists that are tried in order of size have one order."""
    plain = _typed(spec)
    plain["model"], plain["task"] = _model_identity(spec.model), _task_identity(spec.task)
    plain["subspace"], plain["train"] = _subspace_identity(spec.subspace), _train_identity(spec.train)
    if spec.search.name != "grid":
        del plain["search"]["grid_points"]
    for name in ("step_lengths", "learning_rates"):
        plain[name] = sorted(plain[name])
    return plain


def _typed(spec: Any) -> dict[str, Any]:
    """Return a dataclass as plain JSON types, each number in the type of its field: 1 and 1.0 are one identity."""
    return to_dict(from_dict(type(spec), to_dict(spec)))


def _model_identity(model: ModelSpec) -> dict[str, Any]:
    used = ("fingerprint", "random_init", "overrides", "trust_remote_code")
    plain = {name: value for name, value in _typed(model).items() if name in used}
    return plain | ({"init_seed": model.init_seed} if model.random_init else {})


def _task_identity(task: TaskSpec) -> dict[str, Any]:
    """The fingerprint is over texts and class numbers, so that the names of columns, splits and classes say no more."""
    unused = ("name", "source", "reference", "text", "label", "label_names", "train_split", "eval_split", "positive")
    plain = {name: value for name, value in _typed(task).items() if name not in unused}
    positive = task.label_names.index(task.positive) if task.positive in task.label_names else None
    return plain | {"classes": len(task.label_names), "positive": positive}


def _subspace_identity(subspace: SubspaceSpec) -> dict[str, Any]:
    groups = subspace.groups if subspace.method == "said" else "none"
    return _typed(subspace) | {"groups": groups, "exclude": sorted(set(subspace.exclude))}


def _train_identity(train: TrainSpec) -> dict[str, Any]:
    plain = _typed(train)
    return plain | ({"epochs": 0.0} if train.max_steps else {})


def largest_d(projection: str, D: int) -> int:
    """Return the most coordinates that a projection serves: D, or fewer if it is ``sparse``, where each has one entry
    in each of round(sqrt(D)) strata."""
    return min(D, MOST_ENTRIES // max(1, round(math.sqrt(D)))) if projection == "sparse" else D


def check_entries(projection: str, D: int, d: int, key: str = "d") -> None:
    """Check that P does not have too many entries; ``key`` is what the user calls d.

    Raises:
        UserError: it has.
    """
    most = largest_d(projection, D)
    if d > most:
        raise UserError(
            f"{key}={d} is too large for projection={projection}: with D={D} it has d sqrt(D) = {d * math.sqrt(D):.1e} "
            "entries, and its products would take longer than training",
            f"It may have {MOST_ENTRIES:.0e} entries: {key} <= {most} for this D.",
            f"Set {key}={most}, or choose projection=one_hot or projection=orthogonal.",
        )


def derive_seed(*parts: Scalar) -> int:
    """Return a seed in [0, 2^31) that depends on every part and on nothing else."""
    text = json.dumps(list(parts), separators=(",", ":"), allow_nan=False)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:4], "big") >> 1


@functools.cache
def _fields(kind: Any) -> dict[str, Any]:
    """Return the types of a dataclass's fields by name."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _convert(kind: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise ValueError(f"{where} is {value!r}, not a table")
        hints = _fields(kind)
        names = set(hints)
        if set(value) != names:
            lacks, more = sorted(names - set(value)), sorted(set(value) - names)
            said = f"has fields {more} that do not belong there, and lacks {lacks}"
            known = f"has fields {sorted(value)}, expected {sorted(names)}"
            raise ValueError(f"{where} {said if names.intersection(value) else known}")
        made = {name: _convert(hints[name], value[name], f"{where}.{name}") for name in hints}
        return typing.cast(Any, kind)(**made)
    if origin in (tuple, list) and not isinstance(value, list | tuple):
        raise ValueError(f"{where} is {value!r}, not a list")
    if origin is tuple:
        return tuple(_convert(typing.get_args(kind)[0], item, where) for item in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise ValueError(f"{where} is {value!r}, not a table")
        inner = typing.get_args(kind)[1]
        return {str(key): _convert(inner, item, f"{where}.{key}") for key, item in value.items()}
    if origin is list:
        return [_convert(typing.get_args(kind)[0], item, where) for item in value]
    if origin in (typing.Union, types.UnionType):
        return _convert_union(typing.get_args(kind), value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ValueError(f"{where} is {value!r}, not {kind.__name__}")
    return value


def _convert_union(kinds: tuple[Any, ...], value: Any, where: str) -> Any:
    """Return a value of one of several types: as it is if it has one of them, else as the first that fits."""
    if value is None and types.NoneType in kinds:
        return None
    if type(value) in kinds:
        return value
    for kind in kinds:
        if kind is not types.NoneType:
            with contextlib.suppress(ValueError, TypeError):
                return _convert(kind, value, where)
    raise ValueError(f"{where} is {value!r}, not {' or '.join(str(kind) for kind in kinds)}")

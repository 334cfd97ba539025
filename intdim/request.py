"""What a user asks for, typed and checked but not yet resolved: names and paths, not content.

``config`` makes these from the command line; preparation turns them into the specs of ``spec.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

from intdim.spec import Scalar, SearchSpec, SubspaceSpec, TrainSpec

TRACKERS = ("tensorboard", "wandb", "trackio", "mlflow")  # each a package, and a file of intdim/track


@dataclass(frozen=True)
class ModelRequest:
    """Which model: ``source`` builtin, hub or local; ``reference`` a built-in name or hub id, ``path`` a folder."""

    name: str
    source: str
    reference: str
    revision: str
    path: str
    random_init: bool
    init_seed: int
    overrides: dict[str, Scalar]
    trust_remote_code: bool
    gradient_checkpointing: bool


@dataclass(frozen=True)
class TaskRequest:
    """Which data and how to read it. ``config`` is the hub's configuration name; an empty ``text`` means that the text
    columns are found (all string columns but the label); ``label_names`` orders string labels. In both, ``a | b`` is
    one thing under two names: the column that is there is read, and the class is shown as ``a``; so in the splits,
    of which the hub has ``a``. ``objective`` is a name in ``spec.OBJECTIVES``, or ``auto``: the one that the metric
    implies. 0 in ``max_train`` and ``max_eval`` means all; ``selection`` is half or same;
    ``positive`` is the class that F1 counts, empty where the metric needs none; ``holdout`` the share of the training
    rows to evaluate on where there is no evaluation split (0: there must be one)."""

    name: str
    source: str
    reference: str
    config: str
    path: str
    version: int
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
class CellRequest:
    """One cell of a grid. In ``search`` a d_min or d_max of 0 is chosen by the model's size."""

    model: ModelRequest
    task: TaskRequest
    subspace: SubspaceSpec
    train: TrainSpec
    search: SearchSpec
    step_lengths: tuple[float, ...]
    learning_rates: tuple[float, ...]
    baseline_seeds: int
    seed: int


@dataclass(frozen=True)
class RuntimeRequest:
    """Where and how: ``slots`` and ``threads`` 0 mean automatic; ``device`` is auto, cpu or cuda; ``compile`` is auto,
    true or false."""

    out: str
    device: str
    slots: int
    threads: int
    checkpoint_seconds: float
    offline: bool
    compile: str


@dataclass(frozen=True)
class TrackRequest:
    """Which tracker receives results: ``name`` is none or one of ``TRACKERS``; ``project`` is what it calls a
    project or experiment; ``online`` lets it use the network. No identity holds any of it."""

    name: str
    project: str
    online: bool


@dataclass(frozen=True)
class BoundRequest:
    """How a certificate is looked for: it fails with probability at most ``delta``; codebooks of ``levels`` levels and
    kinds ``codebooks`` are tried, and the best ones are trained on for ``finetune_steps`` steps. The decoder needs
    none of it."""

    delta: float
    levels: tuple[int, ...]
    codebooks: tuple[str, ...]
    finetune_steps: int


@dataclass(frozen=True)
class CorpusRequest:
    """What to pre-train on: the built-in corpus ``name``, or the file or folder ``path``. Of tables the column
    ``column`` is read; of plain text each ``unit`` (line, paragraph or file) is a text."""

    name: str
    path: str
    column: str
    unit: str


@dataclass(frozen=True)
class Start:
    """Where a masked language model other than BERT's recipe begins: exactly one of these is given.

    ``kind`` is a model type of transformers, whose shapes are those of the command; ``config`` a config.json or a
    folder with one, which decides the shapes; ``folder`` a folder with weights and tokenizer, whose training goes on.
    """

    kind: str = ""
    config: str = ""
    folder: str = ""


@dataclass(frozen=True)
class PretrainConfig:
    """What decides the weights of a pre-training, and (``device``, ``threads``) how it runs. ``mask_fraction`` of the
    tokens are predicted; ``window`` is the longest pair in tokens; ``warmup`` is a fraction of all steps;
    ``checkpoint_every`` counts steps; checkpoints store the embeddings times ``embedding_scale``."""

    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    max_positions: int
    window: int
    steps: int
    batch_size: int
    learning_rate: float
    warmup: float
    weight_decay: float
    mask_fraction: float
    checkpoint_every: int
    embedding_scale: float
    seed: int
    precision: str
    device: str
    threads: int

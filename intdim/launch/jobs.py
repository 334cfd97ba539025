"""What can be asked of a worker: the table of jobs, what each one is asked, and what those answer that leave no file.

A job is a function of a JSON payload that answers JSON: the driver turns what it asks into a payload with ``to_dict``,
the worker reads it with ``from_dict``, and the answer comes back in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from intdim.request import BoundRequest, CellRequest, CorpusRequest, PretrainConfig, Start
from intdim.spec import RunSpec, Runtime

# Name of a job -> where it is. Workers import it when it is first asked for, so that nothing here needs torch.
JOBS: dict[str, str] = {
    "run": "intdim.run.execute:run_job",
    "time": "intdim.run.execute:time_job",
    "prepare": "intdim.run.prepare:prepare_job",
    "device": "intdim.run.machine:device_job",
    "certify": "intdim.artifacts.compress:certify_job",
    "pretrain": "intdim.pretrain.job:pretrain_job",
}


class Asked(Protocol):
    """What a job is asked: a dataclass of this file; ``job`` is the job's name in ``JOBS``."""

    job: ClassVar[str]


# -- what is asked -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunJob:
    """Make a run, or return its result if it exists; ``keep_weights`` leaves the weights of full fine-tuning on disk,
    D numbers. Answer: ``ledger.results.RunResult``; reports ``RunProgress``."""

    job: ClassVar[str] = "run"
    spec: RunSpec
    runtime: Runtime
    keep_weights: bool = False


@dataclass(frozen=True)
class TimeJob:
    """Take ``steps`` training steps and one evaluation of a run, without recording it. Answer: ``RunCost``."""

    job: ClassVar[str] = "time"
    spec: RunSpec
    runtime: Runtime
    steps: int


@dataclass(frozen=True)
class PrepareJob:
    """Locate a cell's model and tokenise its task. Answer: ``spec.Prepared``."""

    job: ClassVar[str] = "prepare"
    cell: CellRequest


@dataclass(frozen=True)
class DeviceJob:
    """Find the device: ``auto``, ``cpu`` or ``cuda``. Answer: ``Device``."""

    job: ClassVar[str] = "device"
    device: str


@dataclass(frozen=True)
class CertifyJob:
    """Look for the best certificate of the run in the folder ``run``, and keep it in ``folder``. Answer:
    ``ledger.certificate.Certificate``."""

    job: ClassVar[str] = "certify"
    run: str
    runtime: Runtime
    settings: BoundRequest
    folder: str


@dataclass(frozen=True)
class PretrainJob:
    """Pre-train into the folder ``out``, or resume what it holds; checkpoints store weights as ``store`` (``float32``
    or ``float16``); ``start`` is None for BERT's recipe. Answer: ``PretrainSummary``; reports ``PretrainProgress``."""

    job: ClassVar[str] = "pretrain"
    corpus: CorpusRequest
    config: PretrainConfig
    start: Start | None
    store: str
    out: str


# -- what is answered ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunCost:
    """What a run costs: the median step, one evaluation, and building the model and its subspace, in seconds; its
    optimiser steps and evaluations; memory at the peak."""

    step_seconds: float
    evaluate_seconds: float
    evaluations: int
    start_seconds: float
    total_steps: int
    peak_memory_bytes: int


@dataclass(frozen=True)
class Device:
    """``device`` is ``cpu`` or ``cuda``, ``count`` the number of GPUs (0 for a CPU), ``memory`` the free bytes: of this
    machine within the limit of its control group, or of the fullest GPU; 0 where the system does not say."""

    device: str
    count: int
    memory: int


@dataclass(frozen=True)
class PretrainSummary:
    """A finished pre-training: updates, stored weights, windows of the corpus, the share of places that held no token,
    the Hugging Face folder of the final weights, and the tokens of the vocabulary: fewer than were asked for where the
    corpus gives no more."""

    steps: int
    weights: int
    windows: int
    padding: float
    folder: str
    vocabulary: int


# -- what is reported on the way -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Note:
    """A line for the user, from any job: what was damaged and set aside, what is waited for."""

    note: str


@dataclass(frozen=True)
class RunProgress:
    """How far a run is: ``step`` of ``steps``; training loss and selection score there, where they are known."""

    step: int
    steps: int
    loss: float | None = None
    score: float | None = None


@dataclass(frozen=True)
class PretrainProgress:
    """How far a pre-training is: ``step`` of ``steps``; the mean losses in nats since the last report (``next_loss`` is
    None without BERT's second task); ``seconds`` spent so far."""

    step: int
    steps: int
    masked_loss: float
    next_loss: float | None
    seconds: float

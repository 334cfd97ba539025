"""From a composed Hydra configuration to typed requests: checks everything at once, resolves nothing.

Only this folder and ``cli`` know Hydra. The YAML files hold every default; the requests' dataclasses hold the types.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from intdim.config.checked import Checked
from intdim.errors import UserError, echo
from intdim.launch.pool import uses_cuda
from intdim.request import TRACKERS, CellRequest, ModelRequest, RuntimeRequest, TaskRequest, TrackRequest
from intdim.spec import (
    BOTH,
    GROUPS,
    METHODS,
    OBJECTIVES,
    PROJECTIONS,
    SCOPES,
    THRESHOLDS,
    SearchSpec,
    SubspaceSpec,
    TrainSpec,
)

SEARCHES = ("posterior", "bisection", "grid")
SOURCES = ("builtin", "hub", "local")
PRECISIONS = ("float32", "bf16")
RUN_PRECISIONS = ("auto", *PRECISIONS, "bf16-stochastic")
BF16_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # of a processor that multiplies bf16 natively (x86, Arm)
DEVICES = ("auto", "cpu", "cuda")
LAUNCHERS = ("local", "ray")
PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")  # which every tracker takes, and which is a folder name
SELECTIONS = ("half", "same")
COMMIT, SHORT_COMMIT = re.compile(r"[0-9a-f]{40}"), 8
OTHER_SCOPES = 3.0  # the best step length of other scopes is one to ten times shorter (docs/measuring.md)


def cell_request(cfg: DictConfig) -> CellRequest:
    """Return the typed request of one cell.

    Raises:
        UserError: all that is wrong with the values, in one message.
    """
    check = Checked(cfg)
    scope = check.choice("subspace.scope", SCOPES)
    search = SearchSpec(
        name=check.choice("search.name", SEARCHES),
        d_min=check.whole("search.d_min", 1, none=0),
        d_max=check.whole("search.d_max", 1, none=0),
        max_runs=check.whole("search.max_runs", 1),
        fraction=check.real("search.fraction", 0.0, 1.0, open_low=True),
        threshold=check.choice("search.threshold", (*THRESHOLDS, BOTH)),
        seeds=check.whole("search.seeds", 1),
        batch=check.whole("search.batch", 1),
        grid_points=check.whole("search.grid_points", 2),
        resamples=check.whole("search.resamples", 0),
        narrow=check.real("search.narrow", 1.0, open_low=True),
        enough=check.whole("search.enough", 1),
    )
    if search.d_min and search.d_max and search.d_min > search.d_max:
        check.fault(f"search.d_min={search.d_min} exceeds search.d_max={search.d_max}", "d_min is at most d_max")
    train = TrainSpec(
        epochs=check.real("train.epochs", 0.0, open_low=True),
        max_steps=check.whole("train.max_steps", 0, none=0),
        batch_size=check.whole("train.batch_size", 1),
        accumulation=check.whole("train.accumulation", 1),
        warmup=check.real("train.warmup", 0.0, 1.0),
        clip=check.real("train.clip", 0.0),
        weight_decay=check.real("train.weight_decay", 0.0),
        beta1=check.real("train.beta1", 0.0, 1.0, open_high=True),
        beta2=check.real("train.beta2", 0.0, 1.0, open_high=True),
        epsilon=check.real("train.epsilon", 0.0, open_low=True),
        precision=precision(check.choice("train.precision", RUN_PRECISIONS), check.choice("device", DEVICES)),
        evaluations=check.whole("train.evaluations", 1),
        patience=check.whole("train.patience", 0),
    )
    cell = CellRequest(
        model=_model(check),
        task=_task(check),
        subspace=SubspaceSpec(
            method=check.choice("subspace.method", METHODS),
            projection=check.choice("projection.name", PROJECTIONS),
            scope=scope,
            groups=check.choice("subspace.groups", GROUPS),
            exclude=check.texts("subspace.exclude"),
        ),
        train=train,
        search=search,
        step_lengths=_step_lengths(check, scope),
        learning_rates=check.reals("train.learning_rate"),
        baseline_seeds=check.whole("train.baseline_seeds", 1),
        seed=check.whole("seed", 0),
    )
    check.done()
    return cell


def refuse_full(cells: list[CellRequest]) -> None:
    """Raise ``UserError`` where a cell has no subspace, hence no d to search."""
    if any(cell.subspace.method == "full" for cell in cells):
        raise UserError(
            "subspace=full has no d to search",
            "subspace=did or subspace=said",
            "Use `intdim train subspace=full` for one run; a sweep makes its own baseline.",
        )


def runtime_request(cfgs: list[DictConfig]) -> RuntimeRequest:
    """Return where and how the cells of one command run.

    Raises:
        UserError: a value is wrong, or the cells differ.
    """
    made = {_runtime(cfg) for cfg in cfgs}
    if len(made) > 1:
        raise UserError(
            "the cells of this grid differ in out, device, offline, train.compile or launch",
            "one place and one device for a grid",
            "Give such keys one value.",
        )
    return made.pop()


def _runtime(cfg: DictConfig) -> RuntimeRequest:
    check = Checked(cfg)
    offline = check.switch("offline") or os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")
    made = RuntimeRequest(
        out=str(check.out().absolute()),
        device=check.choice("device", DEVICES),
        slots=check.whole("launch.slots", 1, none=0),
        threads=check.whole("launch.threads", 1, none=0),
        checkpoint_seconds=check.real("launch.checkpoint_seconds", 0.0),
        offline=offline,
        compile=check.switch_or_auto("train.compile") if check.given("train.compile") else "false",
    )
    check.done()
    return made


def track_request(cfgs: list[DictConfig]) -> TrackRequest:
    """Return which tracker the cells of one command have.

    Raises:
        UserError: a value is wrong, or the cells differ.
    """
    made = {_track(cfg) for cfg in cfgs}
    if len(made) > 1:
        raise UserError("the cells of this grid differ in track", "one tracker for a grid", "Give track= one value.")
    return made.pop()


def _track(cfg: DictConfig) -> TrackRequest:
    check = Checked(cfg)
    project = check.text("track.project")
    if not PROJECT.fullmatch(project):
        allowed = "track.project is at most 64 letters, digits, - and _, and begins with a letter or digit"
        check.fault(f"track.project={echo(project)}", allowed)
    online = check.switch("track.online")
    if online and check.given("offline") and check.switch("offline"):
        check.fault("offline=true with track.online=true", "one of the two")
    made = TrackRequest(check.choice("track.name", ("none", *TRACKERS)), project, online)
    check.done()
    return made


def precision(asked: str, device: str) -> str:
    """Return the precision that ``auto`` means here: bf16 where it is native (CUDA, some processors), else float32,
    which an emulated bf16 would only slow down (measured: tenfold on a processor without it)."""
    if asked != "auto":
        return asked
    if uses_cuda(device):
        return "bf16"
    try:
        flags = re.search(r"^(?:flags|Features)\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        flags = None
    return "bf16" if flags and BF16_FLAGS.intersection(flags.group(1).split()) else "float32"


def _step_lengths(check: Checked, scope: str) -> tuple[float, ...]:
    """The lengths that the user gave, or the preset's grid as the scope wants it."""
    if check.given("train.step_length"):
        return check.reals("train.step_length")
    grid = check.reals("train.step_grid")
    return grid if scope == "global" else tuple(float(f"{length / OTHER_SCOPES:.2g}") for length in grid)


def _model(check: Checked) -> ModelRequest:
    source, path = check.choice("model.source", SOURCES), check.path("model.path")
    name = check.name("model.name")
    if path:
        source = "local"
        if name in ("", "tiny"):  # tiny is the default, not a decision
            name = _folder_name(path)
    elif source == "local":
        check.fault("model=local without model.path", "model.path=DIR, a folder in Hugging Face's format")
    elif source == "hub" and not check.text("model.reference"):
        check.fault("model=hub without model.reference", "model.reference=owner/name")
    typed = check.text("model.revision") or "main"
    reference, revision = _checkpoint(check.text("model.reference"), typed)
    if source == "hub":  # what tells the cells of a grid apart
        if name == "multiberts" and not check.text("model.reference").endswith("-seed_0"):
            name = ""  # another of the 25 seeds
        name = name or check.text("model.reference").rpartition("/")[2]
        if typed != "main":
            name += f"@{typed[:SHORT_COMMIT] if COMMIT.fullmatch(typed) else typed}"
    overrides = OmegaConf.select(check.cfg, "model.overrides")
    plain = OmegaConf.to_container(overrides, resolve=True) if OmegaConf.is_dict(overrides) else None
    if not isinstance(plain, dict) or any(isinstance(value, dict | list) for value in plain.values()):
        check.fault(f"model.overrides={echo(overrides)}", "model.overrides={option: value, ...} with plain values")
        plain = {}
    name = name or reference.rpartition("/")[2]
    check.check_name("model.name", name)
    return ModelRequest(
        name=name,
        source=source,
        reference="" if source == "local" else reference,
        revision=revision,
        path=path,
        random_init=check.switch("model.random_init"),
        init_seed=check.whole("model.init_seed", 0),
        overrides={str(key): value for key, value in plain.items()},
        trust_remote_code=check.switch("model.trust_remote_code"),
        gradient_checkpointing=check.switch("model.gradient_checkpointing"),
    )


def _checkpoint(reference: str, revision: str) -> tuple[str, str]:
    """Return repository and revision of a checkpoint. MultiBERTs keep ``step_20k`` and its like not as branches but in
    repositories of their own, named so (Sellam et al. 2022; google/multiberts-seed_0-step_20k on the hub)."""
    if re.fullmatch(r"google/multiberts-seed_\d+", reference) and re.fullmatch(r"step_\d+k", revision):
        return f"{reference}-{revision}", "main"
    return reference, revision


def _task(check: Checked) -> TaskRequest:
    source, path = check.choice("task.source", SOURCES), check.path("task.path")
    name = check.name("task.name")
    if path:
        if source == "builtin":
            check.fault(
                f"task={name} with task.path={echo(path)}", "task.path= goes with task=local or a task of the hub"
            )
        source = "local"
        name = name or _folder_name(path)
    elif source == "local":
        check.fault("task=local without task.path", "task.path=DIR with train and validation files")
    elif source == "hub" and not check.text("task.reference"):
        check.fault("task=hub without task.reference", "task.reference=owner/name")
    name = name or check.text("task.reference").rpartition("/")[2]
    check.check_name("task.name", name)
    return TaskRequest(
        name=name,
        source=source,
        reference="" if source == "local" else check.text("task.reference"),
        config="" if source == "local" else check.text("task.config"),
        path=path,
        version=check.whole("task.version", 0),
        text=check.texts("task.text"),
        label=check.text("task.label") or "label",
        label_names=check.texts("task.label_names"),
        objective=check.choice("task.objective", ("auto", *OBJECTIVES)),
        metric=check.text("task.metric"),
        max_length=check.whole("task.max_length", 2),
        train_split=check.text("task.train_split") or "train",
        eval_split=check.text("task.eval_split") or "validation",
        max_train=check.whole("task.max_train", 0, none=0),
        max_eval=check.whole("task.max_eval", 0, none=0),
        selection=check.choice("task.selection", SELECTIONS),
        positive=check.text("task.positive"),
        holdout=check.real("task.holdout", 0.0, 1.0, open_high=True),
    )


def _folder_name(path: str) -> str:
    return Path(os.path.realpath(path)).name

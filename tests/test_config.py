"""Every configuration file composes and types; values mean what was typed; all faults come at once."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

import pytest
import yaml
from omegaconf import DictConfig, OmegaConf

from intdim import config
from intdim.cli.overrides import GROUPS, conf_folder, dotted, known_keys
from intdim.errors import UserError
from intdim.launch.pool import uses_cuda
from intdim.projections import PROJECTIONS
from intdim.request import CellRequest, RuntimeRequest
from intdim.search import SEARCHES
from intdim.spec import from_dict, to_dict
from tests.cli.command import composed, request, requests
from tests.conf_files import names, whole

CONF = conf_folder()
FILES = sorted(f"{file.parent.name}={file.stem}" for file in CONF.glob("*/[!_]*.yaml"))
NEEDS = {
    "model=local": ["model.path=somewhere"],
    "model=hub": ["model.reference=owner/name"],
    "task=local": ["task.path=somewhere"],
    "task=hub": ["task.reference=owner/name"],
}
KEYS = {
    "model": "gradient_checkpointing init_seed name overrides path random_init reference revision source "
    "trust_remote_code",
    "task": "config eval_split holdout label label_names max_eval max_length max_train metric name objective path "
    "positive reference selection source text train_split version",
    "projection": "name",
    "subspace": "exclude groups method scope",
    "search": "batch d_max d_min enough fraction grid_points max_runs name narrow resamples seeds threshold",
    "train": "accumulation baseline_seeds batch_size beta1 beta2 clip compile epochs epsilon evaluations learning_rate "
    "max_steps patience precision step_grid step_length warmup weight_decay",
    "launch": "checkpoint_seconds name slots threads",
    "track": "name online project",
    "trajectory": "along batch_size checkpoints heads hidden_size layers learning_rate name sizes steps vocab_size "
    "window",
}
AT_TOP = {
    "sweep": "device offline out seed",
    "train": "d device offline out seed",
    "plan": "device offline out seed",
    "fetch": "device offline out seed",
    "report": "name out step_lengths style sweeps verbose",
    "status": "json out",
    "list": "json last out what",
    "show": "ids json out",
    "compare": "ids json out",
    "remove": "ask force ids json out runs",
    "doctor": "D d device out",
    "bound": "codebook delta device dimensions finetune_steps levels max_runs offline out run seed",
    "export": "full levels out run to",
    "pretrain": "batch_size checkpoint_every corpus corpus.column corpus.name corpus.path corpus.unit device "
    "embedding_scale learning_rate mask_fraction model model.config model.heads model.hidden_size "
    "model.intermediate_size model.layers model.max_positions model.path model.vocab_size out "
    "precision seed steps store threads warmup weight_decay window",
}


@functools.cache
def default() -> DictConfig:
    (cfg,) = composed()
    return cfg


# -- the files ---------------------------------------------------------------------------------------------------------


def test_the_groups_are_these() -> None:
    assert {file.name for file in CONF.iterdir() if file.is_dir()} == set(GROUPS)
    assert len(FILES) > 70


@pytest.mark.parametrize("choice", FILES)
def test_every_file_composes_and_types(choice: str) -> None:
    cfg = composed(choice, *NEEDS.get(choice, []))[0]  # a preset may be a grid
    cell = config.cell_request(cfg)
    assert from_dict(CellRequest, to_dict(cell)) == cell
    group, _, name = choice.partition("=")
    if group in ("model", "task") and choice not in NEEDS:
        assert OmegaConf.to_container(cfg[group]) == whole(CONF / group / f"{name}.yaml")
    named = {"model": cell.model.name, "task": cell.task.name, "projection": cell.subspace.projection}
    named |= {"search": cell.search.name, "subspace": cell.subspace.method}
    if group in named and choice not in NEEDS:
        assert named[group] == name, "a file is named after what it holds"


@pytest.mark.parametrize("group", KEYS)
def test_the_files_of_a_group_have_the_same_keys(group: str) -> None:
    for file in names(CONF / group):
        assert " ".join(sorted(whole(file))) == KEYS[group], file.name


def test_the_choices_are_those_of_the_rooms() -> None:
    assert set(config.PROJECTIONS) == set(PROJECTIONS) == {file.stem for file in (CONF / "projection").glob("*.yaml")}
    assert set(config.SEARCHES) == set(SEARCHES) == {file.stem for file in (CONF / "search").glob("*.yaml")}
    assert set(config.LAUNCHERS) == {file.stem for file in (CONF / "launch").glob("*.yaml")}


@pytest.mark.parametrize("command", AT_TOP)
def test_the_options_of_a_command_are_these(command: str) -> None:
    """Frozen: a new option is a decision, not an accident."""
    some = {"trajectory": ("sweep", "plan"), "track": ("sweep", "train", "report")}
    every = ("sweep", "train", "plan", "fetch", "bound")
    groups = {name: keys for name, keys in KEYS.items() if command in some.get(name, every)}
    inner = {f"{group}.{key}" for group, keys in groups.items() for key in keys.split()}
    extra = {*groups, "experiment"} if command in every else set(groups)
    assert known_keys(command) == set(AT_TOP[command].split()) | inner | extra


@pytest.mark.parametrize("command", AT_TOP)
def test_what_composes_has_exactly_the_known_keys(command: str) -> None:
    (cfg,) = composed(command=command)
    plain = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(plain, dict)
    assert set(dotted(plain)) == known_keys(command) - {"experiment"}


# -- values ------------------------------------------------------------------------------------------------------------


def test_the_default() -> None:
    cell = request()
    assert (cell.model.name, cell.task.name) == ("tiny", "docstrings-kind")
    where = cell.subspace
    assert (where.method, where.projection, where.scope, where.groups) == ("did", "fastfood", "global", "layer")
    assert cell.search.name == "posterior"
    assert (cell.search.d_min, cell.search.d_max) == (0, 0), "left open: preparation chooses by the model's size"
    assert cell.baseline_seeds >= 3
    assert cell.train.max_steps <= 200, "the built-in model trains by train=small"


def test_the_preset_goes_with_the_model_and_what_is_typed_wins() -> None:
    small, paper = request(), request("model=roberta-base")
    assert paper.train.epochs == 10
    assert paper.train.max_steps == 0
    assert paper.train.warmup == 0.06
    assert small.train != paper.train
    assert request("train=paper").train == paper.train
    assert request("model=roberta-base", "train=small").train == small.train
    assert request("train.max_steps=7").train.max_steps == 7
    assert request("train.max_steps=7", "model=tiny-random").train.max_steps == 7
    assert [cell.train for cell in requests("-m", "model=tiny,roberta-base")] == [small.train, paper.train]


@pytest.mark.parametrize(("typed", "read"), [("1e5", 100_000), ("100000", 100_000), ("2.5e3", 2500), ("64.0", 64)])
def test_a_whole_number_may_be_typed_with_an_exponent(typed: str, read: int) -> None:
    found = request(f"search.d_max={typed}").search.d_max
    assert found == read
    assert isinstance(found, int)


def test_how_a_number_is_typed_does_not_matter() -> None:
    assert (
        request("search.fraction=.5", "train.step_length=[3,10]")
        == request("search.fraction=5e-1", "train.step_length=[3.0,1e1]")
        == request("search.fraction=0.50", "train.step_length=[0.3e1,10.]")
    )


def test_step_lengths_follow_the_scope_unless_they_are_given() -> None:
    whole = request().step_lengths
    for scope in ("tensor", "layer", "tensor_turns"):
        assert request(f"subspace.scope={scope}").step_lengths == pytest.approx([length / 3 for length in whole], 0.02)
        assert request(f"subspace.scope={scope}", "train.step_length=[2,6]").step_lengths == (2.0, 6.0)
        assert request(f"subspace.scope={scope}", "experiment=smoke").step_lengths == (3.0,), "a file's decision too"
    assert request("train.step_length=4").step_lengths == (4.0,)
    first, second = requests("-m", "subspace.scope=tensor,global")
    assert (first.step_lengths, second.step_lengths) == (request("subspace.scope=tensor").step_lengths, whole)


def test_a_local_model() -> None:
    cell = request("model.path=../weights/mini", "model.overrides={num_hidden_layers: 2}")
    assert (cell.model.source, cell.model.name, cell.model.reference) == ("local", "mini", "")
    assert Path(cell.model.path).is_absolute()
    assert Path(cell.model.path).resolve() == Path("../weights/mini").resolve()
    assert cell.model.overrides == {"num_hidden_layers": 2}
    assert cell.train == request("train=paper").train
    assert request("model=local", "model.path=a/b", "model.name=c").model.name == "c"
    assert request("model.path=~/x").model.path == str(Path.home() / "x")


def test_revisions_tell_the_cells_of_a_grid_apart() -> None:
    cells = requests("-m", "model=pythia-70m", "model.revision=step1000,step2000,main," + "0a" * 20)
    assert [cell.model.name for cell in cells] == [
        "pythia-70m@step1000",
        "pythia-70m@step2000",
        "pythia-70m",
        "pythia-70m@0a0a0a0a",
    ]
    assert [cell.model.revision for cell in cells] == ["step1000", "step2000", "main", "0a" * 20]
    assert {cell.model.reference for cell in cells} == {"EleutherAI/pythia-70m"}
    assert request("model=hub", "model.reference=a/b", "model.revision=x").model.name == "b@x"


def test_multiberts_keep_their_checkpoints_in_repositories_of_their_own() -> None:
    grid = ("model.reference=google/multiberts-seed_0,google/multiberts-seed_1", "model.revision=step_20k,main")
    cells = [cell.model for cell in requests("-m", "model=multiberts", *grid)]
    assert [(cell.name, cell.reference, cell.revision) for cell in cells] == [
        ("multiberts@step_20k", "google/multiberts-seed_0-step_20k", "main"),
        ("multiberts", "google/multiberts-seed_0", "main"),
        ("multiberts-seed_1@step_20k", "google/multiberts-seed_1-step_20k", "main"),
        ("multiberts-seed_1", "google/multiberts-seed_1", "main"),
    ]
    other = request("model=multiberts", "model.revision=v2").model
    assert (other.reference, other.revision) == ("google/multiberts-seed_0", "v2")


def test_overrides_of_a_model_are_an_open_table() -> None:
    cell = request("model.overrides.num_hidden_layers=2", "model.overrides.hidden_dropout_prob=0.0")
    assert cell.model.overrides == {"num_hidden_layers": 2, "hidden_dropout_prob": 0.0}
    two = requests("-m", "model.overrides.num_hidden_layers=1,2")
    assert [cell.model.overrides for cell in two] == [{"num_hidden_layers": 1}, {"num_hidden_layers": 2}]


def test_a_local_task_keeps_the_columns_of_the_task_it_is() -> None:
    known = request("task=mrpc", "task.path=somewhere").task
    assert (known.source, known.reference, known.config) == ("local", "", "")
    assert (known.name, known.text, known.label) == ("mrpc", ("sentence1", "sentence2"), "label")
    named = request("task.path=data/ready/sst2").task
    assert (named.name, named.source, named.text) == ("sst2", "local", ("sentence",))
    other = request("task.path=data/ready/subj").task
    assert (other.name, other.source, other.text) == ("subj", "local", ()), "text columns are found by preparation"
    chosen = request("task.path=data/sst2", "task=local", "task.text=[a,b]", "task.label=y").task
    assert (chosen.name, chosen.text, chosen.label) == ("sst2", ("a", "b"), "y")


@pytest.mark.parametrize("path", ["/tmp/a=b", "/tmp/a b", "/tmp/a(b)", "/tmp/a,b", "/tmp/é", "007", "/tmp/x#y;z"])
def test_a_path_may_hold_any_character(path: str) -> None:
    assert request(f"model.path={path}").model.path == str(Path(path).absolute())
    (cfg,) = composed(f"out={path}")
    assert config.runtime_request([cfg]).out == str(Path(path).absolute())


def test_paths_of_a_grid() -> None:
    assert [cell.model.name for cell in requests("-m", "model.path=x/a,y/b")] == ["a", "b"]
    assert [cell.task.name for cell in requests("-m", "task.path=x/subj,x/other")] == ["subj", "other"]
    with pytest.raises(UserError, match="different tasks"):
        requests("-m", "task.path=x/sst2,x/mrpc")


def test_runtime(monkeypatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    (cfg,) = composed("out=here", "device=cpu", "launch.slots=2")
    made = config.runtime_request([cfg])
    assert made == RuntimeRequest(str(Path("here").absolute()), "cpu", 2, 0, 5.0, False, "auto")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert config.runtime_request([cfg]).offline


def test_the_cells_of_a_grid_share_a_place() -> None:
    with pytest.raises(UserError, match="differ in out"):
        config.runtime_request(composed("-m", "out=a,b"))


def test_precision_follows_the_device(monkeypatch) -> None:
    assert config.precision("float32", "cuda") == "float32"
    assert config.precision("auto", "cuda") == "bf16"
    monkeypatch.setattr(config.Path, "read_text", lambda self: "flags\t\t: fpu sse avx2\n")
    assert config.precision("auto", "cpu") == "float32"
    monkeypatch.setattr(config.Path, "read_text", lambda self: "flags\t\t: fpu avx512_bf16\n")
    assert config.precision("auto", "cpu") == "bf16"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not uses_cuda("auto")


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        "search.d_min=0", "search.d_min=8.5", "search.d_min=many", "search.d_max=inf", "search.max_runs=0",
        "search.fraction=0", "search.fraction=1.01", "search.fraction=nan", "search.threshold=relative",
        "search.seeds=0", "search.batch=0", "search.grid_points=1", "search.resamples=-1",
        "subspace.scope=all", "subspace.groups=block",
        "subspace.method=sad", "train.step_length=0", "train.step_length=[]", "train.step_length=[3,-1]",
        "train.step_length=[3,3.0]", "train.learning_rate=[]", "train.epochs=0", "train.max_steps=-1",
        "train.batch_size=0", "train.accumulation=0", "train.warmup=1.5", "train.clip=-1", "train.beta1=1",
        "train.epsilon=0", "train.precision=fp8", "train.baseline_seeds=0", "train.evaluations=0",
        "train.patience=-1", "seed=-1",
        "seed=0.5", "seed=true", "device=gpu", "model.random_init=maybe", "model.overrides=2",
        "model.overrides.a.b=2", "task.max_length=1", "task.selection=third", "task.source=web",
    ],
)  # fmt: skip
def test_each_value_is_checked(typed: str) -> None:
    cfg = copy.deepcopy(default())
    key, _, value = typed.partition("=")
    OmegaConf.update(cfg, key, yaml.safe_load(value), force_add=True)  # as Hydra would, at a hundredth of its time
    with pytest.raises(UserError) as caught:
        config.cell_request(cfg)
    assert key.removesuffix(".a.b") in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3


def test_a_range_that_is_none() -> None:
    with pytest.raises(UserError, match=r"search.d_min=1000 exceeds search.d_max=10"):
        request("search.d_min=1e3", "search.d_max=10")


def test_all_faults_come_at_once_in_three_lines() -> None:
    wrong = ["search.fraction=2", "search.seeds=0", "train.step_length=[-1]", "subspace.scope=all", "seed=x"]
    with pytest.raises(UserError) as caught:
        request(*wrong, "search.d_min=10", "search.d_max=5")
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(one in lines[0] for one in wrong)
    assert "search.d_min=10 exceeds" in lines[0]


@pytest.mark.parametrize("choice", NEEDS)
def test_what_a_local_or_hub_choice_needs(choice: str) -> None:
    with pytest.raises(UserError, match=f"{choice} without"):
        request(choice)


def test_built_in_tasks_have_no_path() -> None:
    with pytest.raises(UserError, match=r"task=docstrings-pair with task\.path"):
        request("task=docstrings-pair", "task.path=somewhere")


def test_full_fine_tuning_is_not_searched() -> None:
    with pytest.raises(UserError, match="has no d to search"):
        config.refuse_full(requests("-m", "subspace=did,full"))

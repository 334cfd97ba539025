"""The commands in documents, and how each is tested. A command that is not listed here fails the tests.

``tests/test_documented_commands.py`` does what the lists say. Words that stand for something of the reader's own (DIR,
RUN, ...) are replaced first.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(path for name in ("docs", "scripts", "intdim") for path in (ROOT / name).rglob("*.md"))]
)
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", flags=re.DOTALL | re.MULTILINE)
STANDS_FOR = {"OWNER/NAME": "someone/something", "FILE": "config.json"}

# The whole command in the default tests, with made-up runs in place of workers and of the network.
SIMULATED = {
    "intdim sweep",
    "intdim sweep experiment=smoke",
    "intdim fetch model=roberta-base task=mrpc",
    "intdim plan model=roberta-base task=mrpc offline=true",
    "intdim plan model=roberta-base task=mrpc",
    "intdim sweep model=roberta-base task=mrpc offline=true",
    "intdim sweep model=hub model.reference=OWNER/NAME task=mrpc",
    "intdim sweep model.path=DIR task=docstrings-pair",
    "intdim sweep task.path=reviews",
    "intdim sweep task.path=reviews model=distilbert",
    "intdim plan task.path=reviews",
    "intdim sweep task.path=reviews task.text=[title,body]",
    "intdim sweep task.path=reviews task.metric=f1 task.positive=attack",
    "intdim sweep task.path=reviews task.holdout=0.1",
    "intdim sweep task.path=reviews task.max_length=256",
    "intdim sweep -m model=pythia-70m model.revision=step1000,step16000,step143000",
    "intdim sweep -m model=multiberts model.revision=step_20k,step_200k,step_2000k",
    "intdim sweep -m model.path=mine/step-500,mine/step-1000,mine/final",
    "intdim sweep -m model=tiny,tiny-random",
    "intdim sweep model=distilbert model.random_init=true model.init_seed=1 task=mrpc",
    "intdim plan experiment=li2018",
    "intdim sweep search=grid search.d_min=16 search.d_max=16384 search.grid_points=6 search.max_runs=18 "
    "train.evaluations=10 out=outputs/patience",
}

# The whole command in the default tests, as it is: on a small finished run, or because it is quick.
EXECUTED = {
    "intdim doctor",
    "intdim export RUN",
    "intdim export RUN --full",
    "intdim bound RUN delta=0.01",
    "python scripts/make_tables.py --check",
}

# Composed into the typed request only, because of what is said; where another test goes further, that is named.
COMPOSED = {
    "intdim bound": "sixteen runs and their quantisation take minutes; tests/drivers/test_bound.py searches in small",
    "intdim sweep -m model=roberta-base,bert-base task=mrpc,rte device=cuda": "needs GPUs; tests/launch/test_pool.py "
    "has made-up ones",
    "intdim sweep launch=ray launch.slots=8": "needs ray; tests/launch/test_ray.py runs it where it is installed",
    "intdim sweep trajectory=mini trajectory.sizes=[m] trajectory.hidden_size=[96] trajectory.layers=[2] "
    "trajectory.heads=[4] trajectory.checkpoints=[600] trajectory.steps=1200": "pre-trains for minutes; "
    "tests/drivers/test_trajectory.py does it in small",
    "intdim pretrain corpus.path=texts out=mine steps=2000 checkpoint_every=500": "minutes; made small in SLOW",
    "intdim pretrain corpus.path=texts out=other model.config=roberta steps=2000": "minutes; made small in SLOW",
    "intdim pretrain corpus.path=texts out=further model.path=mine/final steps=500": "minutes; made small in SLOW",
    "intdim pretrain store=float16 device=cpu threads=1": "27 minutes; tests/pretrain/test_loop.py makes few steps",
}

# Run or composed by another test of the default suite, which is named.
ELSEWHERE = {
    "intdim status": "tests/cli/test_status.py::test_a_running_sweep_names_its_driver_its_runs_and_the_time_left",
    "intdim list": "tests/cli/test_list.py::test_sweeps_with_their_answers_and_those_without",
    "intdim list runs last=20": "tests/cli/test_list.py::test_runs_with_their_scores_and_what_failed",
    "intdim show ID": "tests/cli/test_show.py::test_a_verdict_with_its_runs_its_command_and_its_versions",
    "intdim compare A B": "tests/cli/test_compare.py::test_two_runs_on_the_same_examples_are_paired",
    "intdim remove ID": "tests/cli/test_remove.py::test_it_asks_and_takes_no_for_an_answer",
    "intdim sweep -m projection=fastfood,one_hot subspace=did,said hydra/launcher=submitit_slurm out=/shared/outputs "
    "launch.slots=4 launch.threads=1 hydra.launcher.cpus_per_task=4 hydra.launcher.timeout_min=240": "tests/launch/"
    "test_slurm.py::test_each_cell_of_a_grid_is_a_job",
    "intdim sweep track=tensorboard": "tests/track/test_tensorboard.py::"
    "test_event_files_have_curves_results_and_verdicts",
    "intdim report track=wandb": "tests/track/test_base.py::test_a_sweep_a_run_and_a_report_reach_the_tracker",
    "intdim report": "tests/cli/test_report.py::test_report_reads_what_sweep_wrote",
    "intdim report style=paper name=paper": "tests/cli/test_report.py::test_a_report_for_a_paper",
    "intdim report out=outputs/mini": "tests/cli/test_report.py::test_report_reads_what_sweep_wrote",
    "intdim sweep -m projection=fastfood,one_hot subspace=did,said": "tests/cli/test_compose.py::"
    "test_a_grid_is_measured_together",
    "intdim sweep experiment=paper/table1": "tests/cli/test_presets.py::test_every_preset_composes",
    "intdim sweep experiment=paper/figure3": "tests/cli/test_presets.py::test_every_preset_composes",
    "intdim sweep experiment=mini out=outputs/mini offline=true": "tests/cli/test_presets.py::"
    "test_every_preset_composes",
}

# Run for real by the slow tests, in this order and in one folder, with these words added (they replace words with the
# same key) so that each takes a minute at most.
_FEW = (
    "device=cpu threads=1 steps=4 checkpoint_every=2 window=32 batch_size=4 model.vocab_size=300 model.hidden_size=8 "
    "model.intermediate_size=8 model.max_positions=48"
)
SLOW = {
    "intdim sweep experiment=smoke": "device=cpu",
    "intdim report": "",
    "intdim sweep task.path=reviews": "device=cpu experiment=smoke",
    "intdim pretrain corpus.path=texts out=mine steps=2000 checkpoint_every=500": _FEW,
    "intdim pretrain corpus.path=texts out=other model.config=roberta steps=2000": _FEW,
    "intdim pretrain corpus.path=texts out=further model.path=mine/final steps=500": "device=cpu threads=1 steps=4 "
    "window=32 batch_size=4",
}

# The arguments are parsed by the script itself; the work takes minutes to hours, as scripts/README.md says.
SCRIPTS = "python scripts/"

# What a shell does. `make` targets are looked up and expanded, extras of the package are looked up.
SHELL = {
    "make sweep",
    "make test",
    "make paper",
    "make gpu",
    "make gpu BIN=/usr/bin",
    "source .venv/bin/activate",
    "pip install --editable .",
    "pip wheel --no-deps -w dist .",
    "pip install 'intdim[ray]'",
    "pip install 'intdim[tensorboard]'",
}


def fences(text: str) -> list[tuple[str, str]]:
    """Return (language, content) of every fenced block, those inside lists too, without their indentation."""
    return [
        (language, "".join(line.removeprefix(indent) for line in content.splitlines(keepends=True)))
        for indent, language, content in FENCE.findall(text)
    ]


def blocks(text: str, language: str) -> list[str]:
    """Return the content of every block in a language."""
    return [content for known, content in fences(text) if known == language]


def commands(text: str) -> list[str]:
    """Return the commands in the shell blocks of a document, each on one line, without comments."""
    lines = [line for block in blocks(text, "sh") for line in block.replace("\\\n", " ").splitlines()]
    return [command for line in lines if (command := re.split(r"(?:^|\s)#", line)[0].strip())]


def all_commands() -> list[str]:
    """Return every command of every document, once."""
    found = [command for path in DOCUMENTS for command in commands(path.read_text(encoding="utf-8"))]
    return list(dict.fromkeys(" ".join(command.split()) for command in found))


def words(command: str, **stands_for: str) -> list[str]:
    """Return the words of a command, with stand-ins for what is the reader's own."""
    for name, value in (STANDS_FOR | stands_for).items():
        command = re.sub(rf"\b{name}\b", value, command)
    return shlex.split(command)

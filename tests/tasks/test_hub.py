"""Data sets in the hub's layout, and what is said when the hub does not give them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from intdim.tasks import hub

from . import made
from .made import refused, request, rows

ROOT = Path(__file__).parents[2]
REACHABLE = hub._reachable


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Tests ask nobody whether the hub is there."""
    monkeypatch.setattr(hub, "_reachable", lambda: True)


@pytest.fixture
def local_hub(tmp_path, monkeypatch):
    """A data set in the hub's own layout, read by the same call, with its cache in a temporary folder."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["1", "2"])})
    for split in ("train", "validation", "test"):
        table = rows(20) if split == "train" else rows(8, start=100)
        made = table.assign(label=lambda t: -1 if split == "test" else t["label"])  # noqa: B023
        (tmp_path / "set").mkdir(exist_ok=True)
        datasets.Dataset.from_pandas(made, features=features).to_parquet(str(tmp_path / "set" / f"{split}.parquet"))
    return str(tmp_path / "set")


def test_hub_layout(local_hub):
    tables = made.read(request(source="hub", reference=local_hub))
    assert tables.label_names == ("1", "2")  # class names of the set; its labels count them from 0
    assert tables.train["label"].tolist() == rows(20)["label"].tolist()
    assert tables.train["text"].tolist() == rows(20)["text"].tolist()
    assert made.read(request(source="hub", reference=local_hub, text=())).text == ("text",)
    assert made.read(request(source="hub", reference=local_hub, text=("sentence | text",))).text == ("text",)
    parts = {"train_split": "train+validation[4:]", "eval_split": "validation[:4]"}
    pooled = made.read(request(source="hub", reference=local_hub, **parts))
    assert (len(pooled.train), len(pooled.evaluation)) == (24, 4)
    other = made.read(request(source="hub", reference=local_hub, eval_split="validation | nothing"))
    assert other.eval_split == "validation"


def test_hub_mistakes(local_hub):
    assert "task.eval_split" in refused(request(source="hub", reference=local_hub, eval_split="validation_matched"))
    message = refused(request(source="hub", reference=local_hub, text=("sentence",)))
    assert "'sentence'" in message
    assert "text, label" in message
    assert "hidden labels" in refused(request(source="hub", reference=local_hub, eval_split="test"))
    assert "task.config" in refused(request(source="hub", reference=local_hub, config="nothing"))
    assert "task.reference" in refused(request(source="hub"))
    assert "no data files" in refused(request(source="hub", reference=local_hub + "/nowhere"))


def test_a_damaged_hub_file(local_hub):
    file = Path(local_hub) / "validation.parquet"
    file.write_bytes(file.read_bytes()[:-30])
    assert "damaged" in refused(request(source="hub", reference=local_hub))


def _raising(error):
    def load_dataset(*args, **kwargs):
        raise error

    return load_dataset


def test_hub_errors_in_a_users_words(monkeypatch):
    import datasets
    from huggingface_hub.errors import OfflineModeIsEnabled

    wanted = request(source="hub", reference="nyu-mll/glue", config="mrpc")
    unreachable = [
        ConnectionError("Couldn't reach 'nyu-mll/glue' on the Hub (LocalEntryNotFoundError)"),
        OfflineModeIsEnabled("offline mode is enabled"),
        ValueError("Couldn't find cache for nyu-mll/glue for config 'mrpc'"),
    ]
    for error in unreachable:
        monkeypatch.setattr(datasets, "load_dataset", _raising(error))
        message = refused(wanted)
        assert "nyu-mll/glue (mrpc)" in message
        assert "intdim fetch" in message
        assert "task.path=" in message
    missing = datasets.exceptions.DatasetNotFoundError(
        "Dataset 'nyu-mll/glu' doesn't exist on the Hub or cannot be accessed."
    )
    monkeypatch.setattr(datasets, "load_dataset", _raising(missing))
    assert "no data set 'nyu-mll/glue'" in refused(wanted)
    gated = datasets.exceptions.DatasetNotFoundError(
        "Dataset 'a/b' is a gated dataset on the Hub. Visit the page to ask."
    )
    monkeypatch.setattr(datasets, "load_dataset", _raising(gated))
    message = refused(wanted)
    assert "gated" in message
    assert "HF_TOKEN" in message
    script = RuntimeError("Dataset scripts are no longer supported, but found x.py")
    monkeypatch.setattr(datasets, "load_dataset", _raising(script))
    assert "task.path=" in refused(wanted)


def test_errors_that_are_nobodys_mistake_stay_what_they_are(monkeypatch):
    import datasets

    monkeypatch.setattr(datasets, "load_dataset", _raising(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        made.read(request(source="hub", reference="nyu-mll/glue"))


def test_offline_and_nothing_cached_without_any_patch(monkeypatch, tmp_path):
    import datasets
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    assert "intdim fetch" in refused(request(source="hub", reference="nyu-mll/glue", config="mrpc"))


WITHOUT_NETWORK = """
import time
def sleep(seconds): raise SystemExit(f"waits {seconds} s")
time.sleep = sleep
from intdim.tasks import hub
hub.read_hub("nyu-mll/glue", "mrpc", ("sentence1", "label"), "label", "train", "validation")
"""


def test_a_hub_that_cannot_be_reached_is_asked_once(tmp_path):
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")} | nobody
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORK], env=environment, capture_output=True, text=True, check=False
    )
    assert "waits" not in done.stderr
    assert "(mrpc) is not in the cache and the hub cannot be reached" in done.stderr


@pytest.mark.parametrize("there", [True, False])
def test_only_the_cache_is_read_where_the_hub_cannot_be_reached(there, monkeypatch):
    import datasets

    seen = []

    def load_dataset(*args, **kwargs):
        seen.append(datasets.config.HF_HUB_OFFLINE)
        raise ConnectionError

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(hub, "_reachable", lambda: there)
    refused(request(source="hub", reference="nyu-mll/glue"))
    assert seen == [not there]
    assert datasets.config.HF_HUB_OFFLINE is False


def test_any_answer_of_the_hub_will_do(monkeypatch):
    import http.server
    import threading

    import huggingface_hub.constants

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert REACHABLE()  # status 501: it answers no HEAD
        server.shutdown()
    assert not REACHABLE()


def test_retries_are_not_announced(monkeypatch, caplog):
    import logging

    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    with hub._quiet():
        assert not logger.isEnabledFor(logging.WARNING)
        assert logger.isEnabledFor(logging.ERROR)
    assert logger.level == before


def test_a_head_of_yaml_that_refers_to_itself_is_not_read(local_hub):
    lines = ["l0: &l0 [x, x]", *(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 30))]
    (Path(local_hub) / "README.md").write_text("---\n" + "\n".join(lines) + "\n---\n# Data\n")
    message = refused(request(source="hub", reference=local_hub))
    assert "aliases" in message
    (Path(local_hub) / "README.md").write_text("---\nlicense: mit\n---\n" + "*emphasis* " * 50)
    assert len(made.read(request(source="hub", reference=local_hub)).train) == 20


def test_rows_are_held_out_where_the_set_has_no_evaluation_split(local_hub):
    message = refused(request(source="hub", reference=local_hub, holdout=0.2))
    assert "has the split validation" in message
    for split in ("validation", "test"):
        (Path(local_hub) / f"{split}.parquet").unlink()
    assert "task.holdout=0.1" in refused(request(source="hub", reference=local_hub))
    held = made.read(request(source="hub", reference=local_hub, holdout=0.2))
    assert (len(held.train), len(held.evaluation), held.eval_split) == (16, 4, "held_out")
    assert held.label_names == ("1", "2")

"""The job ``pretrain``: JSON in, JSON out, the same weights as the loop's own."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from intdim.errors import UserError
from intdim.launch.base import find_job
from intdim.launch.jobs import JOBS, PretrainJob, PretrainProgress, PretrainSummary
from intdim.pretrain.loop import run
from intdim.pretrain.texts import read_corpus
from intdim.request import CorpusRequest
from intdim.spec import from_dict, to_dict
from tests.pretrain.small import SMALL, small_corpus

SHORT = replace(SMALL, steps=3, checkpoint_every=2)


def test_a_job_gives_the_weights_of_the_loop(tmp_path: Path) -> None:
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(small_corpus().texts))
    reported: list[dict[str, Any]] = []
    job = PretrainJob(CorpusRequest("", str(file), "text", "line"), SHORT, None, "float32", str(tmp_path / "job"))
    answer = find_job(JOBS["pretrain"])(json.loads(json.dumps(to_dict(job))), reported.append)

    summary = from_dict(PretrainSummary, answer)
    assert (summary.steps, summary.folder) == (3, str(tmp_path / "job" / "final"))
    assert [PretrainProgress(**facts).step for facts in reported] == [3]
    run(read_corpus("", str(file)), tmp_path / "loop", SHORT)
    for name in ("step-2", "final"):
        files = [tmp_path / kind / name / "model.safetensors" for kind in ("job", "loop")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_corpus_that_is_not_there_is_a_users_error(tmp_path: Path) -> None:
    job = PretrainJob(CorpusRequest("", str(tmp_path / "x"), "text", "line"), SHORT, None, "float32", str(tmp_path))
    with pytest.raises(UserError, match="is no file"):
        find_job(JOBS["pretrain"])(to_dict(job), lambda facts: None)


def test_a_job_leaves_the_environment_as_it_was(tmp_path: Path) -> None:
    """Tokenizers that stay allowed to use threads would let a process hang that forks later."""
    asked = PretrainJob(CorpusRequest("", str(tmp_path / "none.txt"), "text", "line"), replace(SHORT, threads=2), None,
                        "float32", str(tmp_path / "job"))  # fmt: skip
    with pytest.raises(UserError):
        find_job(JOBS["pretrain"])(to_dict(asked), lambda facts: None)
    assert os.environ["TOKENIZERS_PARALLELISM"] == "false"

"""What a certificate says, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from intdim.cli.certificates import show, statement
from intdim.drivers.certificates import Bound
from tests.certificates import certificate


def test_a_certificate_says_what_it_is_and_which_form_it_has() -> None:
    said = "\n".join(statement(certificate()))
    assert "With 95 % confidence over the draw of 3,142 training examples" in said
    assert "is at most 0.3800" in said
    for form in ("binomial tail 0.3800 (the certificate)", "kl 0.3820", "Hoeffding 0.3900", "Catoni 0.4000"):
        assert form in said
    assert said.count("(the certificate)") == 1
    assert "is better than always answering the majority class" in said
    assert "relative gap of the coded model 0.036; sqrt(d / n) is 0.143, a trend and no bound" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "from which this task's texts were withheld; docstrings of one module are alike"),
        ({"task_source": "local"}, "pre-trained on docstrings, which may be among the training examples"),
        ({"model_source": "hub", "task_source": "hub"}, "theta_0 MAY have seen the training examples"),
        ({"model_source": "local", "task_source": "local"}, "which only you can know"),
        ({"model_source": "random"}, "it has seen nothing"),
    ],
)
def test_it_says_whether_theta_0_may_have_seen_the_training_sample(changes: dict[str, Any], said: str) -> None:
    lines = statement(certificate(**changes))
    assert said in lines[-1]


def test_it_says_so_when_the_held_out_examples_chose_the_step() -> None:
    assert "which also chose the step" not in "\n".join(statement(certificate()))
    assert "0.2800, which also chose the step" in "\n".join(statement(certificate(selection="same")))


def test_it_says_so_when_the_majority_class_is_as_good_and_why() -> None:
    lines = statement(certificate(certificate=0.55, beats_majority=False, bits=900))
    assert "does NOT beat always answering the majority class" in lines[1]
    assert "could have at most" in lines[2]
    assert "it has 900" in lines[2]
    lines = statement(certificate(train_error=0.5, certificate=0.6, beats_majority=False))
    assert "is itself not below 0.4900" in lines[2]
    lines = statement(certificate(certificate=1.0, beats_majority=False, relative_gap=None))
    assert "no certificate: the bound is 1" in lines[0]


def test_the_table_of_a_search(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    best, other = certificate(), certificate(d=128, certificate=0.41, seed=12345)
    bounds = [Bound(one, Path("out/bounds/x")) for one in (best, other)]
    show(bounds[0], bounds, Path("t.csv"))
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines() if line.strip().startswith(("64", "128"))]
    assert rows[0] == ["64", "0", "10", "125", "1.95", "0.2900", "0.2700", "0.3800"]
    assert rows[1][:2] == ["128", "10"]  # a seed that is nobody's small number is not shown
    assert "written to out/bounds/x; all that was tried: t.csv" in said

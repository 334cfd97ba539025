"""A certificate as a type: what is written is read, in the order of the fields; what is damaged counts as none."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from intdim.ledger.certificate import CERTIFICATE_FILE, Certificate

MADE = Certificate(
    run_id="0123456789abcdef", model="tiny", model_source="builtin", task_source="builtin", task="docstrings-kind",
    method="did", projection="fastfood", scope="global", d=64, D=1_326_210, step_length=10.0, seed=1_100_832_500,
    n=3142, delta=0.05, bits=132, account={"d": 6.0, "z levels": 100.606}, bits_per_coordinate=132 / 64,
    quantisation="uniform, 3 levels", levels=3, level_values=[-8.0, 0.0, 8.0], candidates=27, train_error=0.32,
    train_error_unquantised=0.33, occam_binomial=0.438, occam_kl=0.44, occam_hoeffding=0.442, catoni=0.454,
    majority_error_train=0.5, majority_error_eval=0.5, eval_error=0.335, eval_examples=627, selection="half",
    eval_bound=0.367, relative_gap=None, trend=0.143, certificate=0.438, form="occam_binomial", beats_majority=True,
)  # fmt: skip


def test_what_is_written_is_read_in_the_order_of_the_fields(tmp_path: Path) -> None:
    MADE.write(tmp_path)
    assert Certificate.read(tmp_path) == MADE
    written = json.loads((tmp_path / CERTIFICATE_FILE).read_text())
    assert list(written) == [field.name for field in dataclasses.fields(Certificate)]
    assert written["certificate"] == written[written["form"]]


@pytest.mark.parametrize("content", [None, "{", "null", "[]", "{}", '{"certificate": 0.1}'])
def test_none_and_a_damaged_one_count_as_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / CERTIFICATE_FILE).write_text(content)
    assert Certificate.read(tmp_path) is None


def test_a_field_of_another_type_is_damage(tmp_path: Path) -> None:
    MADE.write(tmp_path)
    written = json.loads((tmp_path / CERTIFICATE_FILE).read_text())
    (tmp_path / CERTIFICATE_FILE).write_text(json.dumps(written | {"bits": "132"}))
    assert Certificate.read(tmp_path) is None

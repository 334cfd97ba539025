"""Certificates made up for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from intdim.ledger.certificate import Certificate
from intdim.spec import derive_seed


def certificate(**changes: Any) -> Certificate:
    """Return a certificate of 0.38 that beats the majority class."""
    made = Certificate(
        run_id="0123456789abcdef",
        model="tiny",
        model_source="builtin",
        task_source="builtin",
        task="docstrings-kind",
        method="did",
        projection="fastfood",
        scope="global",
        d=64,
        D=1_326_210,
        step_length=10.0,
        seed=derive_seed(0, "train", 64),
        n=3142,
        delta=0.05,
        bits=125,
        account={"subspace": 1.0, "d": 6.0, "z levels": 116.0, "z end": 2.0},
        bits_per_coordinate=125 / 64,
        quantisation="uniform, 3 levels",
        levels=3,
        level_values=[-0.1, 0.0, 0.1],
        candidates=25,
        train_error=0.27,
        train_error_unquantised=0.29,
        occam_binomial=0.38,
        occam_kl=0.382,
        occam_hoeffding=0.39,
        catoni=0.4,
        majority_error_train=0.5,
        majority_error_eval=0.49,
        eval_error=0.28,
        eval_examples=627,
        selection="half",
        eval_bound=0.31,
        relative_gap=0.036,
        trend=0.143,
        certificate=0.38,
        form="occam_binomial",
        beats_majority=True,
    )
    return replace(made, **changes)

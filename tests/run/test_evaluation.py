"""Predictions of the present weights: their order, their losses, and no trace left behind."""

from __future__ import annotations

import torch

from intdim.run.evaluation import predict, score
from intdim.run.objective import Classification
from tests.run.test_training import checkpoint, data, make, spec_of  # noqa: F401


def answers(model, split, index, batch_size):
    return predict(
        model, split, index, objective=Classification(), pad_id=1, batch_size=batch_size, precision="float32",
        device=torch.device("cpu"),
    )  # fmt: skip


def test_predictions_come_in_the_order_asked_for_whatever_the_batches(checkpoint, data, tmp_path):  # noqa: F811
    model = make(checkpoint, data, tmp_path, spec_of()).model
    everything = torch.arange(40)
    predictions, losses = answers(model, data.evaluation, everything, 64)
    some = torch.tensor([33, 2, 17])
    again, losses_again = answers(model, data.evaluation, some, 2)
    assert again.tolist() == predictions[some].tolist()
    torch.testing.assert_close(losses_again, losses[some])
    right = (predictions == data.evaluation.labels).double().mean()
    assert score("accuracy", data.evaluation, everything, predictions) == float(right)
    assert not losses.requires_grad

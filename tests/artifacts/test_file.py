"""The file of an artifact: small, and refused when it is damaged, changed, foreign, or of another version."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

import intdim
from intdim.artifacts import file
from intdim.errors import UserError
from intdim.run.checkpoint import save_tensors
from tests.artifacts.forging import forged, rewritten


def test_a_small_file_with_what_it_takes(run, made) -> None:
    header, tensors = file.read(made.artifact)
    assert made.artifact_bytes == made.artifact.stat().st_size < 4096 + 4 * run.spec.d
    assert made.coded_bytes < 4096
    spec = run.spec
    assert (header.d, header.seed, header.run_id) == (spec.d, spec.seed, spec.run_id)
    assert header.base.fingerprint == spec.model.fingerprint
    assert header.subspace.projection == spec.subspace.projection
    assert header.scores["eval_score"] == run.result.eval_score
    assert {"torch", "transformers", "intdim", "python"} <= set(header.versions)
    assert sum(tensor.numel() for tensor in tensors.values()) == spec.d


def test_what_is_read_is_what_was_written(one, tmp_path: Path) -> None:
    header, tensors = file.read(one.artifact)
    file.write(tmp_path / "again.safetensors", header, tensors)
    assert (tmp_path / "again.safetensors").read_bytes() == one.artifact.read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda header, tensors: tensors["z"].__setitem__(3, tensors["z"][3] + 1e-4),
        lambda header, tensors: header.update(seed=header["seed"] + 1),
        lambda header, tensors: header["subspace"].update(scope="tensor"),
        lambda header, tensors: header.update(theta_0="0" * 64),
        lambda header, tensors: header.pop("seal"),
        lambda header, tensors: tensors.update(more=torch.zeros(1)),
    ],
)
def test_a_tampered_artifact_is_refused(one, change, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="was changed after it was written"):
        file.read(rewritten(one.artifact, tmp_path / "t.safetensors", change))


def test_flipped_bytes_are_refused_without_a_traceback(one, tmp_path: Path) -> None:
    rng = random.Random(4)
    for path in (one.artifact, one.coded):
        whole = path.read_bytes()
        for at in [*range(8), *(rng.randrange(len(whole)) for _ in range(150))]:
            spoilt = bytearray(whole)
            spoilt[at] ^= rng.randrange(1, 256)
            (tmp_path / "spoilt").write_bytes(spoilt)
            with pytest.raises(UserError):
                file.read(tmp_path / "spoilt")


@pytest.mark.parametrize("name", ["format", "stream_version", "code_version"])
def test_another_version_is_refused(one, name: str, tmp_path: Path) -> None:
    changed = rewritten(one.artifact, tmp_path / "v", lambda header, tensors: header.update({name: 99}))
    with pytest.raises(UserError, match=f"{name.replace('_', ' ')} 99, this is"):
        intdim.load(changed)


def test_the_stream_version_is_that_of_the_projection(one, tmp_path: Path) -> None:
    assert file.read(one.artifact)[0].stream_version == 4
    for other in ("fastfood", ["fastfood"], None):
        change = lambda header, tensors, other=other: header["subspace"].update(projection=other)  # noqa: E731
        with pytest.raises(UserError, match="stream version 4, this is 3"):
            file.read(rewritten(one.artifact, tmp_path / "p", change))


def test_an_artifact_of_the_first_format_is_refused_by_its_version(one, tmp_path: Path) -> None:
    def first(header, tensors) -> None:
        for name in ("objective", "outputs", "message_bits"):
            header.pop(name)
        header.update(format=1, classes=2)

    with pytest.raises(UserError, match=r"has format 1, this is 2\n.*\n.*Export the run again"):
        file.read(forged(one.artifact, tmp_path / "first.safetensors", first))


def test_a_header_that_is_not_json_is_refused(one, tmp_path: Path) -> None:
    changed = rewritten(one.artifact, tmp_path / "n", lambda header, tensors: header.update(theta_norm=float("nan")))
    with pytest.raises(UserError, match="is not an artifact"):
        file.read(changed)


def test_a_damaged_file_is_refused(one, tmp_path: Path) -> None:
    whole = one.artifact.read_bytes()
    for cut in (0, 4, 100, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:cut])
        with pytest.raises(UserError, match=r"is damaged|is not an artifact"):
            intdim.load(tmp_path / "cut")
    save_tensors(tmp_path / "foreign", {"z": torch.zeros(3)}, {})
    with pytest.raises(UserError, match="is not an artifact"):
        intdim.load(tmp_path / "foreign")
    for gone in (tmp_path / "gone", tmp_path):
        with pytest.raises(UserError, match="there is no file"):
            intdim.load(gone)

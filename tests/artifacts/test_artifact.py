"""The artifact: rebuilt bit for bit, the same answers as the run's own, refused when anything is not as it was."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import intdim
from intdim.artifacts import artifact, export
from intdim.artifacts.artifact import hash_of
from intdim.errors import UserError
from intdim.run.checkpoint import load_tensors, save_tensors
from intdim.run.execute import build, fitting
from intdim.run.training import predict
from intdim.spec import SubspaceSpec
from intdim.tasks.stored import load_task
from tests import finished_runs, tiny

KINDS = {
    "did": {},
    "said": {"subspace": SubspaceSpec("said", "fastfood", "tensor", "module", ("*LayerNorm*",))},
    "random": {"d": 7},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="module", params=sorted(KINDS))
def run(request: pytest.FixtureRequest, folder: Path):
    return finished_runs.make(folder, **KINDS[request.param])


@pytest.fixture(scope="module")
def made(run, folder: Path):
    return export.export(run, folder / f"{run.spec.run_id}.safetensors", full=True, levels=16)


def as_it_was_trained(run) -> torch.nn.Module:
    """The run's own model with its own z, as the worker holds it."""
    data = load_task(Path(run.runtime.task_folder))
    model, mover = build(run.spec, run.runtime, data)
    state, _ = load_tensors(run.z_file)
    mover.subspace.load_state_dict(state)  # type: ignore[attr-defined]
    mover.write()
    return model


def answers(model: torch.nn.Module, run) -> torch.Tensor:
    data = fitting(load_task(Path(run.runtime.task_folder)), model)
    return predict(model, data.evaluation, data.score_half, data=data, batch_size=64, precision="float32",
                   device=torch.device("cpu"))[0]  # fmt: skip


def test_the_model_is_rebuilt_bit_for_bit_and_answers_as_the_run_did(run, made, folder: Path) -> None:
    model = intdim.load(made["artifact"], base=folder / "base")
    assert hash_of(model) == hash_of(as_it_was_trained(run))
    kept, _ = load_tensors(run.folder / "eval.safetensors")
    assert torch.equal(answers(model, run), kept["predictions"])
    assert not model.training
    assert all(weight.grad is None for weight in model.parameters())
    assert len({weight.untyped_storage().data_ptr() for weight in model.parameters()}) == len(list(model.parameters()))


def test_a_small_file_with_what_it_takes(run, made) -> None:
    header, tensors = artifact.read(Path(made["artifact"]))
    assert made["artifact_bytes"] == Path(made["artifact"]).stat().st_size < 4096 + 4 * run.spec.d
    assert made["coded_bytes"] < 4096
    spec = run.spec
    assert (header["d"], header["seed"], header["run_id"]) == (spec.d, spec.seed, spec.run_id)
    assert header["base"]["fingerprint"] == spec.model.fingerprint
    assert header["subspace"]["projection"] == spec.subspace.projection
    assert header["scores"]["eval_score"] == run.result["eval_score"]
    assert {"torch", "transformers", "intdim", "python"} <= set(header["versions"])
    assert sum(tensor.numel() for tensor in tensors.values()) == spec.d


def test_the_coded_form_is_the_message_alone(run, made, folder: Path) -> None:
    header, tensors = artifact.read(Path(made["coded"]))
    assert set(tensors) == {"message"}
    assert tensors["message"].numel() == -(-made["message_bits"] // 8)
    model = intdim.load(made["coded"], base=folder / "base")
    assert hash_of(model) == header["theta"]
    exact = intdim.load(made["artifact"], base=folder / "base")
    start = artifact.theta_0(artifact.recipe_of(header), folder / "base").state_dict()
    moved = sum(float((weight - start[name]).norm() ** 2) for name, weight in exact.state_dict().items()) ** 0.5
    apart = (
        sum(float((weight - exact.state_dict()[name]).norm() ** 2) for name, weight in model.state_dict().items())
        ** 0.5
    )
    assert 0 < apart < 0.35 * moved
    assert made["z_error"] < 0.25


def test_the_whole_model_loads_without_us(run, made, folder: Path) -> None:
    whole = AutoModelForSequenceClassification.from_pretrained(made["folder"])
    assert hash_of(whole) == hash_of(intdim.load(made["artifact"], base=folder / "base"))
    assert whole.config.id2label == {0: "no", 1: "yes"}
    assert len(AutoTokenizer.from_pretrained(made["folder"])) == tiny.VOCABULARY
    again = export.export(run, Path(made["artifact"]), full=True, levels=16)
    assert again == made


def test_the_same_run_gives_the_same_bytes(run, made, tmp_path: Path) -> None:
    other = export.export(run, tmp_path / "b.safetensors", full=False, levels=16)
    for kind in ("artifact", "coded"):
        assert Path(other[kind]).read_bytes() == Path(made[kind]).read_bytes()
    assert not (tmp_path / "b").exists()


def test_loading_leaves_the_global_random_state_alone(made, folder: Path) -> None:
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    intdim.load(made["artifact"], base=folder / "base")
    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()
    assert torch.equal(torch.get_rng_state(), before[2])


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one(folder: Path):
    return export.export(finished_runs.make(folder), folder / "one.safetensors", full=False, levels=16)


def test_another_base_is_refused_by_the_hash(one, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder / "base", other)
    weights, metadata = load_tensors(other / "model.safetensors")
    name = next(name for name in sorted(weights) if name.endswith("query.weight"))
    weights[name].view(-1)[0] += 1e-6  # one weight, by a little
    save_tensors(other / "model.safetensors", weights, metadata)
    for kind in ("artifact", "coded"):
        with pytest.raises(UserError, match="is not the model the run started from"):
            intdim.load(one[kind], base=other)


def test_a_copy_of_the_base_elsewhere_will_do(one, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "base", tmp_path / "copy")
    (tmp_path / "copy" / "notes.json").write_text("{}")  # another fingerprint, the same theta_0
    expected = hash_of(intdim.load(one["artifact"], base=folder / "base"))
    assert hash_of(intdim.load(one["artifact"], base=str(tmp_path / "copy"))) == expected


def test_a_base_of_another_architecture_is_refused(one, tmp_path: Path) -> None:
    tiny.save_tokenizer(tiny.save("distilbert", tmp_path / "d"), pad_token="<pad>")
    with pytest.raises(UserError, match="is not the model the run started from"):
        intdim.load(one["artifact"], base=tmp_path / "d")


def test_a_local_base_must_be_given_and_be_there(one, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="started from a local folder"):
        intdim.load(one["artifact"])
    with pytest.raises(UserError, match="is no folder"):
        intdim.load(one["artifact"], base=str(tmp_path / "gone"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"config\.json"):
        intdim.load(one["artifact"], base=tmp_path / "empty")


def rewritten(path: str, there: Path, change) -> Path:
    """A copy of an artifact whose header and tensors went through ``change``, without a new seal."""
    tensors, metadata = load_tensors(Path(path))
    header = json.loads(metadata["intdim"])
    change(header, tensors)
    save_tensors(there, tensors, {"intdim": json.dumps(header)})
    return there


@pytest.mark.parametrize(
    "change",
    [
        lambda header, tensors: tensors["z"].__setitem__(3, tensors["z"][3] + 1e-4),
        lambda header, tensors: header.update(seed=header["seed"] + 1),
        lambda header, tensors: header["subspace"].update(projection="fastfood"),
        lambda header, tensors: header.update(theta_0="0" * 64),
        lambda header, tensors: header.pop("seal"),
        lambda header, tensors: tensors.update(more=torch.zeros(1)),
    ],
)
def test_a_tampered_artifact_is_refused(one, change, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="was changed after it was written"):
        artifact.read(rewritten(one["artifact"], tmp_path / "t.safetensors", change))


def forged(path: str, there: Path, change) -> Path:
    """A copy that went through ``change`` and was sealed again, as anyone can."""

    def sealed(header, tensors) -> None:
        change(header, tensors)
        header.pop("seal")
        header["seal"] = artifact._seal(header, tensors)

    return rewritten(path, there, sealed)


@pytest.mark.parametrize(
    "change",
    [
        lambda header, tensors: header.pop("theta_0"),
        lambda header, tensors: header.update(base=None),
        lambda header, tensors: header["base"].update(overrides=7),
        lambda header, tensors: header["subspace"].pop("scope"),
        lambda header, tensors: header["subspace"].update(projection="nothing"),
        lambda header, tensors: header["subspace"].update(method="said"),
        lambda header, tensors: header.update(d=10**12),
        lambda header, tensors: header.update(d=1.5),
        lambda header, tensors: header.update(seed="0"),
        lambda header, tensors: header.update(theta_norm=-1.0),
        lambda header, tensors: header.update(kind="coded"),
        lambda header, tensors: tensors.update(z=tensors["z"][:-1].clone()),
        lambda header, tensors: tensors.update(z=tensors["z"] * torch.nan),
        lambda header, tensors: tensors.update(z=tensors["z"].double()),
        lambda header, tensors: tensors.update(z=tensors["z"][None].clone()),
        lambda header, tensors: tensors.update(more=torch.zeros(1)),
    ],
)
def test_a_forged_artifact_is_refused_without_a_traceback(one, change, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        intdim.load(forged(one["artifact"], tmp_path / "f.safetensors", change), base=folder / "base")
    assert len(str(caught.value).splitlines()) <= 3


def test_a_forged_message_is_refused(one, folder: Path, tmp_path: Path) -> None:
    def other(header, tensors) -> None:
        tensors["message"] = tensors["message"].roll(1)

    with pytest.raises(UserError):
        intdim.load(forged(one["coded"], tmp_path / "f.safetensors", other), base=folder / "base")


def test_code_of_others_runs_only_where_that_is_said(one, folder: Path, tmp_path: Path) -> None:
    asks = forged(
        one["artifact"],
        tmp_path / "t.safetensors",
        lambda header, tensors: header["base"].update(trust_remote_code=True),
    )
    with pytest.raises(UserError, match="would run code that comes with its base"):
        intdim.load(asks, base=folder / "base")
    assert intdim.load(asks, base=folder / "base", trust_remote_code=True)


def test_flipped_bytes_are_refused_without_a_traceback(one, tmp_path: Path) -> None:
    chooser = random.Random(4)
    for kind in ("artifact", "coded"):
        whole = Path(one[kind]).read_bytes()
        for at in [*range(8), *(chooser.randrange(len(whole)) for _ in range(150))]:
            spoilt = bytearray(whole)
            spoilt[at] ^= chooser.randrange(1, 256)
            (tmp_path / "spoilt").write_bytes(spoilt)
            with pytest.raises(UserError):
                artifact.read(tmp_path / "spoilt")


@pytest.mark.parametrize("name", ["format", "stream_version", "code_version"])
def test_another_version_is_refused(one, name: str, tmp_path: Path) -> None:
    changed = rewritten(one["artifact"], tmp_path / "v", lambda header, tensors: header.update({name: 99}))
    with pytest.raises(UserError, match=f"{name.replace('_', ' ')} 99, this is"):
        intdim.load(changed)


def test_weights_that_come_out_otherwise_are_refused(one, folder: Path, tmp_path: Path) -> None:
    """As on a processor that rounds differently: the header's hash of the weights is not met."""

    def otherwise(header, tensors) -> None:
        header["theta"] = "0" * 64
        header["seal"] = artifact._seal({key: value for key, value in header.items() if key != "seal"}, tensors)

    changed = rewritten(one["artifact"], tmp_path / "r.safetensors", otherwise)
    with pytest.raises(UserError, match=r"not bit for bit.*\n.*\n.*exact=False"):
        intdim.load(changed, base=folder / "base")
    assert intdim.load(changed, base=folder / "base", exact=False)


def test_a_damaged_file_is_refused(one, tmp_path: Path) -> None:
    whole = Path(one["artifact"]).read_bytes()
    for cut in (0, 4, 100, len(whole) - 1):
        (tmp_path / "cut").write_bytes(whole[:cut])
        with pytest.raises(UserError, match=r"is damaged|is no artifact"):
            intdim.load(tmp_path / "cut")
    save_tensors(tmp_path / "foreign", {"z": torch.zeros(3)}, {})
    with pytest.raises(UserError, match="is no artifact"):
        intdim.load(tmp_path / "foreign")
    for gone in (tmp_path / "gone", tmp_path):
        with pytest.raises(UserError, match="there is no file"):
            intdim.load(gone)


def test_export_refuses_a_base_that_changed_and_a_damaged_z(folder: Path, tmp_path: Path) -> None:
    run = finished_runs.make(tmp_path)
    (tmp_path / "base" / "config.json").write_text((tmp_path / "base" / "config.json").read_text() + " ")
    with pytest.raises(UserError, match="has changed since"):
        export.export(run, None, full=False, levels=16)
    z = run.z_file.read_bytes()
    run.z_file.write_bytes(z[:-3])
    with pytest.raises(UserError, match="is damaged"):
        export.state_of(run)
    save_tensors(run.z_file, {"z": torch.zeros(run.spec.d - 1)}, {})
    with pytest.raises(UserError, match=f"with {run.spec.d} finite numbers"):
        export.state_of(run)
    save_tensors(run.z_file, {"z": torch.full((run.spec.d,), torch.nan)}, {})
    with pytest.raises(UserError, match="finite numbers"):
        export.state_of(run)


def test_export_spares_what_is_not_ours(folder: Path, tmp_path: Path) -> None:
    run = finished_runs.make(folder)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="holds files that are not ours"):
        export.export(run, tmp_path / "a.safetensors", full=True, levels=16)
    assert (tmp_path / "a" / "thesis.tex").exists()
    assert not (tmp_path / "a.safetensors").exists()
    with pytest.raises(UserError, match=r"ends in \.safetensors"):
        export.export(run, tmp_path / "a", full=False, levels=16)

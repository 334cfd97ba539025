"""conf/model: every file is whole, says what it is called, and names a model once."""

from __future__ import annotations

from pathlib import Path

import pytest

from intdim.cli.overrides import BASE
from intdim.request import ModelRequest
from tests.conf_files import names, said, whole

FOLDER = Path(__file__).parent.parent / "conf" / "model"
FILES = names(FOLDER)
COMMON = said(FOLDER / f"{BASE}.yaml")
KINDS = {field: str(kind) for field, kind in ModelRequest.__annotations__.items()}
TYPES = {"str": str, "bool": bool, "int": int, "dict[str, Scalar]": dict}

# The models of the paper's table and figures (Aghajanyan et al. 2020).
PUBLISHED = {
    "bert-base": "google-bert/bert-base-uncased",
    "bert-base-cased": "google-bert/bert-base-cased",
    "bert-large": "google-bert/bert-large-uncased",
    "roberta-base": "FacebookAI/roberta-base",
    "roberta-large": "FacebookAI/roberta-large",
    "bart-base": "facebook/bart-base",
    "bart-large": "facebook/bart-large",
    "electra-small": "google/electra-small-discriminator",
    "electra-base": "google/electra-base-discriminator",
    "electra-large": "google/electra-large-discriminator",
    "albert-base": "albert/albert-base-v2",
    "albert-large": "albert/albert-large-v2",
    "albert-xlarge": "albert/albert-xlarge-v2",
    "albert-xxlarge": "albert/albert-xxlarge-v2",
    "xlnet-base": "xlnet/xlnet-base-cased",
    "xlnet-large": "xlnet/xlnet-large-cased",
    "t5-small": "google-t5/t5-small",
    "t5-base": "google-t5/t5-base",
    "t5-large": "google-t5/t5-large",
    "xlm-roberta-base": "FacebookAI/xlm-roberta-base",
    "xlm-roberta-large": "FacebookAI/xlm-roberta-large",
}


def test_the_common_file_has_every_key_and_its_default() -> None:
    assert set(COMMON) == set(KINDS)
    assert all(type(value) is TYPES[KINDS[key]] for key, value in COMMON.items())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_is_whole(path):
    model = whole(path)
    assert set(model) == set(KINDS)
    assert not [key for key, value in said(path).items() if COMMON[key] == value], "a file says only what differs"
    for key, value in model.items():
        assert type(value) is TYPES[KINDS[key]], key
    assert model["source"] in ("builtin", "hub", "local")
    assert not model["trust_remote_code"], "nobody else's code runs unless the user says so"
    if path.stem in ("hub", "local"):
        assert (model["name"], model["reference"], model["source"]) == ("", "", path.stem)
    else:
        assert model["name"] == path.stem
        assert model["reference"]
        assert (model["source"] == "hub") == ("/" in model["reference"])
    assert path.read_text().startswith("#"), "the first line says what it is"


def test_a_small_training_preset_goes_with_the_built_in_models_alone():
    for path in FILES:
        text = path.read_text()
        built_in = whole(path)["source"] == "builtin"
        assert ("override /train: small" in text) == built_in, path.name
        assert text.startswith("# @package _global_\n") == built_in, path.name


def test_no_model_is_there_twice():
    models = [whole(path) for path in FILES]
    known = [(model["reference"], model["revision"], model["random_init"]) for model in models if model["reference"]]
    assert len(set(known)) == len(known)


def test_the_published_models_are_there():
    found = {path.stem: whole(path)["reference"] for path in FILES}
    assert {name: found.get(name) for name in PUBLISHED} == PUBLISHED

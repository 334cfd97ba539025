"""Where models are found: in the package, in a folder, in the hub's cache; what is said when they are not."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import errors

from intdim.errors import UserError
from intdim.models import locate as room
from intdim.models.locate import locate
from tests import tiny

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path):
    return tiny.save("bert", tmp_path / "bert")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty hub cache in the hub's own layout, offline."""
    cache = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return cache


def put(cache: Path, reference: str, folder: Path, revision: str = "main", commit: str = COMMIT) -> Path:
    """Place a folder into a hub cache, as a download would."""
    home = cache / f"models--{reference.replace('/', '--')}"
    snapshot = home / "snapshots" / commit
    shutil.copytree(folder, snapshot)
    if revision:
        (home / "refs").mkdir(exist_ok=True)
        (home / "refs" / revision).write_text(commit)
    return snapshot


class TestFolder:
    def test_the_content_is_its_name(self, folder, tmp_path):
        copied = Path(shutil.copytree(folder, tmp_path / "copied"))
        (copied / "README.md").write_text("notes are no part of a model")
        one, other = locate("local", "", path=str(folder)), locate("local", "", path=str(copied))
        assert one.folder == folder
        assert one.fingerprint == other.fingerprint
        (copied / "model.safetensors").write_bytes(b"other")
        assert locate("local", "", path=str(copied)).fingerprint != one.fingerprint

    @pytest.mark.parametrize("kind", ["pipe", "folder", "nothing"])
    def test_a_configuration_that_is_no_file(self, folder, kind):
        file = folder / "config.json"
        file.unlink()
        {"pipe": lambda: os.mkfifo(file), "folder": file.mkdir, "nothing": lambda: file.symlink_to("x")}[kind]()
        with pytest.raises(UserError, match=r"config\.json is no plain file"):
            locate("local", "", path=str(folder))

    def test_no_folder(self, tmp_path, folder):
        for path in (tmp_path / "nothing", folder / "config.json"):
            with pytest.raises(UserError, match="is no folder"):
                locate("local", "", path=str(path))

    def test_no_configuration(self, tmp_path):
        with pytest.raises(UserError, match=r"no config\.json \(it holds nothing\)"):
            locate("local", "", path=str(tmp_path))

    def test_nothing_built_in_by_that_name(self):
        with pytest.raises(UserError):
            locate("builtin", "no-such-model")


class TestHub:
    def test_a_cached_snapshot_is_named_by_its_commit(self, hub, folder):
        snapshot = put(hub, "owner/name", folder)
        found = locate("hub", "owner/name")
        assert found.folder == snapshot
        assert found.fingerprint == COMMIT

    def test_a_revision_in_the_cache(self, hub, folder):
        put(hub, "owner/name", folder, "step1000")
        assert locate("hub", "owner/name", "step1000").fingerprint == COMMIT
        assert locate("hub", "owner/name", COMMIT).fingerprint == COMMIT
        with pytest.raises(UserError, match="at revision step2000 is not in the local cache"):
            locate("hub", "owner/name", "step2000")

    def test_a_series_of_revisions_and_what_is_said_of_one_that_is_missing(self, hub, folder):
        for number, revision in enumerate(("step20000", "step1000", "main", "")):
            put(hub, "owner/name", folder, revision, f"{number}" * 40)
        assert locate("hub", "owner/name", "step1000").fingerprint == "1" * 40
        assert locate("hub", "owner/name", "step20000").fingerprint == "0" * 40
        assert room.cached_revisions("owner/name") == ["3" * 40, "main", "step1000", "step20000"]
        (hub / "models--owner--name" / "refs" / "lost").write_text("f" * 40)  # its files were removed
        with pytest.raises(UserError, match=r"cached revisions: 3+, main, step1000, step20000\n") as caught:
            locate("hub", "owner/name", "step2000")
        assert len(caught.value.parts) == 3

    def test_a_misspelt_model_is_told_its_cached_neighbour(self, hub, folder):
        put(hub, "owner/name", folder)
        with pytest.raises(UserError, match="cached models of a similar name: owner/name\n"):
            locate("hub", "owner/nane")

    def test_not_cached_and_offline_says_what_to_do(self, hub):
        with pytest.raises(UserError) as caught:
            locate("hub", "owner/name")
        assert "owner/name is not in the local cache" in str(caught.value)
        assert "intdim fetch" in str(caught.value)
        assert "model.path=" in str(caught.value)
        assert len(caught.value.parts) <= 3

    def test_no_hub_id(self, hub):
        for reference in ("a/b/c", "owner/na me", "-owner/name"):
            with pytest.raises(UserError, match=r"model\.reference"):
                locate("hub", reference)

    def test_pickled_weights_are_asked_for_only_without_safetensors(self, hub, folder, monkeypatch):
        asked = []
        snapshot = put(hub, "owner/name", folder)

        def download(reference, revision, allow_patterns):
            asked.append([pattern for pattern in allow_patterns if "bin" in pattern])
            return str(snapshot)

        monkeypatch.setattr(room, "snapshot_download", download)
        locate("hub", "owner/name")
        assert asked == [[]]
        (snapshot / "model.safetensors").rename(snapshot / "pytorch_model.bin")
        locate("hub", "owner/name")
        assert asked[1] == []
        assert "pytorch_model*.bin" in asked[2]


HTTP = sys.modules[errors.HfHubHTTPError.__bases__[0].__module__.partition(".")[0]]  # whichever library the hub uses
REPLY = HTTP.Response(404, request=HTTP.Request("GET", "https://hub"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.GatedRepoError("gated", response=REPLY), ["gated", "Ask for access", "model.path="]),
        (errors.RevisionNotFoundError("none", response=REPLY), ["no revision 'main'", "model.revision"]),
        (errors.RepositoryNotFoundError("none", response=REPLY), ["knows no model 'owner/name'", "model.path="]),
        (errors.LocalEntryNotFoundError("none"), ["not in the local cache", "intdim fetch", "model.path="]),
        (errors.OfflineModeIsEnabled("offline"), ["not in the local cache", "intdim fetch"]),
        (errors.HfHubHTTPError("500", response=REPLY), ["cannot be reached", "intdim fetch"]),
        (ConnectionError("no route"), ["cannot be reached", "ConnectionError"]),
        (HTTP.ConnectError("no route"), ["cannot be reached", "ConnectError"]),
        (HTTP.ReadTimeout("slow"), ["cannot be reached", "ReadTimeout"]),
    ],
)
def test_what_the_hub_answers(monkeypatch, error, words):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(room, "snapshot_download", fail)
    with pytest.raises(UserError) as caught:
        locate("hub", "owner/name")
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert len(caught.value.parts) <= 3


@pytest.mark.parametrize("kind", [errors.GatedRepoError, errors.RevisionNotFoundError, errors.RepositoryNotFoundError])
def test_what_is_cached_is_said_where_the_hub_refuses(kind, hub, folder, monkeypatch):
    put(hub, "owner/name", folder, "step1000")

    def fail(*_, **__):
        raise kind("refused", response=REPLY)

    monkeypatch.setattr(room, "snapshot_download", fail)
    with pytest.raises(UserError, match="cached revisions: step1000") as caught:
        locate("hub", "owner/name", "step3000")
    assert len(caught.value.parts) <= 3


def test_a_full_disk_is_no_missing_network(monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room, "snapshot_download", fail)
    with pytest.raises(OSError, match="No space left"):
        locate("hub", "owner/name")

"""Text that is pasted into a shell arrives as it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from intdim.cli.quoting import hydra_quoted, is_quoted, pasted
from tests.cli.command import call, requests

pytestmark = pytest.mark.usefixtures("nothing_begins")

TEXTS = [
    "plain", "it's", "'", "''", "\\", "\\'", "a\\\\'b", "two words", 'say "x"', "a,b", "[1", "{a:1}", "a=b", "$HOME",
    "`id`", "!!", "tab\there", "(", "/tmp/it's here", "a\\", "#", ";rm", "*", "~", "%", "ä情",
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_a_pasted_text_arrives(text: str) -> None:
    line = pasted("key", text)
    word = subprocess.run(["bash", "-c", f"printf %s {line}"], capture_output=True, text=True, check=True).stdout
    parsed = OverridesParser.create().parse_override(word)
    assert (parsed.key_or_group, parsed.value()) == ("key", text)


def test_what_was_quoted_is_told_apart() -> None:
    assert is_quoted("'a'")
    assert is_quoted('"it\'s"')
    assert not any(map(is_quoted, ("'", "it's", "'a\"", "", "a'b'")))
    assert hydra_quoted("it's") == r"'it\'s'"


def hint(*arguments: str) -> str:
    """The word that an error proposes, as a shell reads it."""
    ended = call("sweep", *arguments)
    assert ended.status == 2
    last = ended.err.splitlines()[-1]
    line = last.partition("Write ")[2] or last.partition("If it is text: ")[2]
    return subprocess.run(["bash", "-c", f"printf %s {line}"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "folder", ["/model", "../dir", "./it's", '/it\'s a "model"', "~/x", "..", "/$x", "/a,b"], ids=lambda name: name
)
def test_a_folder_in_place_of_a_name(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    named = f"{tmp_path}{folder}" if folder.startswith("/") else folder
    Path(named).expanduser().mkdir(parents=True, exist_ok=True)
    assert hint(f"model={named}") == f"model.path={named}"
    assert hint(f"task={named}") == f"task.path={named}"


def test_a_folder_that_is_there_needs_no_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "google" / "here").mkdir(parents=True)
    assert hint("model=google/here") == "model.path=google/here"
    assert "model.reference=owner/name" in call("sweep", "model=google/elsewhere").err


@pytest.mark.parametrize("folder", ["it's", 'say "x"', "two words", "a=b", "[x", "#1", 'it\'s "it"'])
def test_a_path_needs_no_quotes_of_hydras(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    for typed in (f"model.path={tmp_path / folder}", f"model.path={hydra_quoted(str(tmp_path / folder))}"):
        (request,) = requests(typed, f"out={tmp_path / folder}")
        assert request.model.path == str(tmp_path / folder)


def test_the_hint_for_text_works(tmp_path: Path) -> None:
    typed = hint("task.name=it's")
    (request,) = requests(typed)
    assert request.task.name == "it's"

"""What pre-training must not read: how a row shows a docstring, and that one in a row is never pre-trained on."""

from __future__ import annotations

import pytest

from intdim.pretrain import docstrings as corpus
from intdim.pretrain import held_out
from intdim.pretrain.texts import docstring_corpus
from intdim.tasks import docstrings as tasks


def test_every_task_is_held_out() -> None:
    assert set(held_out.SHOWN) == set(tasks.NAMES)
    for name, (column, _) in held_out.SHOWN.items():
        assert column in tasks.load(name)["train"].columns


def test_a_docstring_in_a_row_is_known_by_what_the_row_shows() -> None:
    assert not held_out.in_a_task("Turn the handle of the green box until the lid falls off, and then stand well back.")
    pair = tasks.load("docstrings-pair")["train"]["summary"][0]
    assert held_out.in_a_task(f"{pair.upper()}\n\nAnd more, which no row shows.")
    for name in ("docstrings-package", "docstrings-kind"):
        texts = tasks.load(name)["validation"]["text"]
        whole = next(text for text in texts if "thing" not in text and len(text.split()) == held_out.WORDS)
        assert held_out.in_a_task(whole + " and more\n\n>>> example()")


def test_the_corpus_leaves_out_what_a_task_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with other versions of a package, where a docstring has moved into a module of the pre-training half."""
    row = tasks.load("docstrings-pair")["train"]["summary"][0]

    def made(text: str, module: str) -> corpus.Docstring:
        return corpus.Docstring("numpy", module, "area", "function", "area(box_size)", text)

    found = [made(row, "json.decoder"), made("Nobody has ever asked this.", "json.decoder")]
    found.append(made("Of a module that the tasks have.", "numpy.ma.core"))
    monkeypatch.setattr(corpus, "docstrings", lambda: found)
    left = docstring_corpus()
    assert (left.texts, left.titles) == (["Nobody has ever asked this."], ["area ( box size )"])


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Base class for methods.", "Base thing for thing."),
        ("A dataclass; its subclasses are classified.", "A thing; its thing are classified."),
    ],
)
def test_masking_of_kinds(text: str, masked: str) -> None:
    assert held_out.kind_masked(text) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Return a torch.Tensor like np.ndarray.", "Return a thing like thing."),
        ("Draw it.\n\n>>> plt.plot(x)\n... more\n\nThen rest.", "Draw it. Then rest."),
        ("PyTorch's DataFrame and Series", "thing's thing and thing"),
        ("Compute the updated index.", "Compute the updated index."),
    ],
)
def test_masking(text: str, masked: str) -> None:
    assert held_out.package_masked(text) == masked

"""The corpus: what is read from sources, that it is read the same way each time, and that nothing is imported."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from intdim.pretrain import docstrings as corpus

SOURCE = '''"""The module's own text, long enough to count."""

def scale(values, factor: float = 2.0, *, out=None):
    """
    Multiply every value by the factor.

        An indented line.
    """

class Box:
    """A box with things in it, and a lid."""

    def __init__(self, size, lid=True):
        self.size = size

    def open(self):
        """Open the lid of the box slowly."""

    def quiet(self):
        """Short."""

async def wait(seconds):
    """Multiply every value   by the factor. An indented line."""

add_docstr(torch.absolute, r"""
absolute(input, *, out=None) -> Tensor

Compute the absolute value of each element.
""")
add_newdoc("numpy", "ndarray", ("flat", """A one-dimensional iterator over the whole."""))
print("not a docstring, however long it may be")
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package ``boxes`` that is the whole corpus, and an empty cache."""
    root = tmp_path / "boxes"
    (root / "tests").mkdir(parents=True)
    (root / "__init__.py").write_text('"""Boxes and what is done with them."""\n')
    (root / "things.py").write_text(SOURCE)
    (root / "old.py").write_text('print "Python 2"\n')
    (root / "test_things.py").write_text('"""A test file, which is left out of the corpus."""\n')
    (root / "tests" / "more.py").write_text('"""A test folder, which is left out of the corpus."""\n')
    monkeypatch.setattr(corpus, "PACKAGES", ("boxes",))
    monkeypatch.setattr(corpus, "package_folder", lambda name: tmp_path / name)
    monkeypatch.setattr(corpus, "version_key", lambda: "0123456789abcdef")
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "cache"))
    corpus._docstrings.cache_clear()
    yield root
    corpus._docstrings.cache_clear()


def test_each_docstring_is_recorded_with_its_place_and_signature(package: Path) -> None:
    found = {(one.module, one.qualname): one for one in corpus.extract()}
    assert {key: (one.kind, one.signature) for key, one in found.items()} == {
        ("boxes", ""): ("module", ""),
        ("boxes.things", ""): ("module", ""),
        ("boxes.things", "scale"): ("function", "scale(values, factor: float=2.0, *, out=None)"),
        ("boxes.things", "Box"): ("class", "Box(self, size, lid=True)"),
        ("boxes.things", "Box.open"): ("function", "open(self)"),
        ("boxes.things", "absolute"): ("function", "absolute(input, *, out=None)"),
        ("boxes.things", "ndarray"): ("function", ""),
    }
    assert found["boxes.things", "scale"].text == "Multiply every value by the factor.\n\n    An indented line."
    assert found["boxes.things", "absolute"].text == "Compute the absolute value of each element."
    assert found["boxes.things", "ndarray"].text == "A one-dimensional iterator over the whole."


def test_the_cache_is_used_and_a_damaged_one_is_made_again(package: Path, tmp_path: Path) -> None:
    first = corpus.docstrings()
    [file] = (tmp_path / "cache" / "corpus").iterdir()
    (package / "things.py").unlink()
    corpus._docstrings.cache_clear()
    assert corpus.docstrings() == first, "the same versions: the sources are not read again"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    corpus._docstrings.cache_clear()
    assert [one.module for one in corpus.docstrings()] == ["boxes"]


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("a file where the cache folder should be")
    monkeypatch.setenv("INTDIM_CACHE", str(tmp_path / "file"))
    assert len(corpus.docstrings()) == 7


def test_the_fingerprint_follows_the_content(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = corpus.fingerprint()
    assert before == corpus.fingerprint()
    (package / "things.py").write_text(SOURCE.replace("slowly", "quickly"))
    monkeypatch.setattr(corpus, "version_key", lambda: "fedcba9876543210")
    assert corpus.fingerprint() != before


def test_the_installed_packages_give_a_corpus() -> None:
    found = corpus.docstrings()
    counts = Counter(one.package for one in found)
    assert tuple(sorted(counts)) == tuple(sorted(corpus.PACKAGES))
    assert len(found) > 20_000
    assert min(counts.values()) > 1000
    assert len({one.text for one in found}) == len(found)
    assert all(len(one.text) >= corpus.SHORTEST and one.text == one.text.strip() for one in found)


def test_reading_numpy_again_gives_what_the_corpus_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {(one.module, one.qualname, one.text) for one in corpus.docstrings() if one.package == "numpy"}
    monkeypatch.setattr(corpus, "PACKAGES", ("numpy",))
    again = list(corpus.extract())
    assert again == list(corpus.extract())
    assert held <= {(one.module, one.qualname, one.text) for one in again}  # less what another package says too


def test_the_version_key_names_the_extraction(monkeypatch: pytest.MonkeyPatch) -> None:
    before = corpus.version_key()
    assert before == corpus.version_key()
    monkeypatch.setattr(corpus, "EXTRACTION_VERSION", corpus.EXTRACTION_VERSION + 1)
    assert corpus.version_key() != before


def test_nothing_is_imported_to_read_it() -> None:
    code = (
        "import sys; from intdim.pretrain import docstrings as corpus\n"
        "assert corpus.docstrings()\n"
        "print(sorted({'torch', 'pandas', 'matplotlib', 'numpy', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_modules_are_divided_by_name_and_private_twins_stay_together() -> None:
    # Golden: another division would let the shipped model be asked about texts that it was trained on.
    golden = {
        "torch.nn.modules.linear": "train",
        "json.decoder": "pretrain",
        "numpy.ma.core": "train",
        "pandas.core.frame": "pretrain",
    }
    assert {name: corpus.part_of(name) for name in golden} == golden
    assert corpus.part_of("numpy._core._methods") == corpus.part_of("numpy.core.methods")
    shares = Counter(corpus.part_of(f"package.module{number}") for number in range(20_000))
    for part, share in {"pretrain": 0.5, "train": 0.375, "validation": 0.125}.items():
        assert abs(shares[part] / 20_000 - share) < 0.015  # four standard errors


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("read_csv(file_path, nRows: int = 3)", "read csv ( file path, n Rows )"),
        ("f(self, x: dict[str, tuple[int, bool]] = None, *args, **kw)", "f ( x, args, kw )"),
        ("abs(input, /, *, out=None)", "abs ( input, out )"),
        ("empty(*size, out=None) or (a | b", "empty ( size, out )"),
        ("made(x)\n\nbroken(", "made ( x )"),
        ("HTMLParser", "HTMLParser"),
        ("", ""),
    ],
)
def test_a_signature_as_words(signature: str, words: str) -> None:
    assert corpus.signature_words(signature) == words

"""Files that somebody made to hurt: refused in words, before anything large is allocated or anything else is opened."""

from __future__ import annotations

import json
import os
import resource
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import intdim
from intdim.artifacts import file, rebuild
from intdim.coding import Damaged, decode
from intdim.errors import UserError
from tests.artifacts.forging import forged

DEEP = 100_000


def raw(table: str | bytes, body: bytes = b"", length: int | None = None) -> bytes:
    """The bytes of a safetensors file with this table, whatever it says."""
    data = table.encode() if isinstance(table, str) else table
    return struct.pack("<Q", len(data) if length is None else length) + data + body


def tensor(shape: list[Any], start: Any, stop: Any, kind: str = "F32") -> dict[str, Any]:
    """What a table says of a tensor."""
    return {"dtype": kind, "shape": shape, "data_offsets": [start, stop]}


def table(**tensors: Any) -> str:
    """A table of these tensors that claims to be an artifact."""
    return json.dumps({"__metadata__": {"intdim": "{}"}, **tensors})


def about(text: str) -> str:
    """A table of one tensor with this text as the artifact's header."""
    return json.dumps({"__metadata__": {"intdim": text}, "z": tensor([1], 0, 4)})


FILES = {
    "empty": b"",
    "a length of 2^63": raw("{}", length=1 << 63),
    "a table longer than the file": raw("{}", length=3),
    "a table of 5 MB": raw(" " * 5_000_000 + "{}"),
    "no JSON": raw("{"),
    "a list": raw("[]"),
    "no UTF-8": raw(b'{"\xff": 1}'),
    "a deep table": raw('{"a":' * DEEP + "1" + "}" * DEEP),
    "a table of numbers": raw('{"z": 1}'),
    "metadata that is none": raw('{"__metadata__": {"intdim": {"a": 1}}}'),
    "a name twice": raw('{"z": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}, "z": 1}'),
    "an unknown type": raw(table(z=tensor([1], 0, 4, "C64")), b"0000"),
    "a negative place": raw(table(z=tensor([1], -4, 0)), b""),
    "a place beyond the end": raw(table(z=tensor([1 << 40], 0, 1 << 42)), b"0000"),
    "a size of 2^60": raw(table(z=tensor([1 << 60], 0, 1 << 62)), b"0000"),
    "another size than the shape": raw(table(z=tensor([2], 0, 4)), b"0000"),
    "a real size": raw(table(z=tensor([1.0], 0, 4)), b"0000"),
    "many dimensions": raw(table(z=tensor([1] * 5000, 0, 4)), b"0000"),
    "tensors that overlap": raw(table(z=tensor([1], 0, 4), y=tensor([1], 0, 4)), b"0000"),
    "a gap": raw(table(z=tensor([1], 4, 8)), b"00000000"),
    "bytes that belong to nothing": raw(table(z=tensor([1], 0, 4)), b"0" * 100),
    "a thousand tensors": raw(table(**{f"z{n}": tensor([0], 0, 0) for n in range(1000)})),
    "no header": raw(json.dumps({"z": tensor([1], 0, 4)}), b"0000"),
    "a deep header": raw(about('{"a":' * DEEP + "1" + "}" * DEEP), b"0000"),
    "a deep list": raw(about('{"a": ' + "[" * 20 + "]" * 20 + "}"), b"0000"),
    "NaN": raw(about('{"format": NaN}'), b"0000"),
    "1e999": raw(about('{"format": 1e999}'), b"0000"),
    "a number of 5,000 digits": raw(about('{"format": ' + "9" * 5000 + "}"), b"0000"),
    "a version that steers a terminal": raw(about('{"format": "\\u001b[2J"}'), b"0000"),
    "a version of 10^5 letters": raw(about('{"format": "' + "x" * 100_000 + '"}'), b"0000"),
    "a pickle": b"\x80\x04\x95" + b"cos\nsystem\n(S'true'\ntR." * 10,
    "a zip": b"PK\x03\x04" + b"\0" * 1000,
}


def refused(path: Path, base: Path | None = None) -> str:
    """See that an artifact is refused in three short lines and little memory; return what was said."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError) as caught:
        intdim.load(path, base=base)
    lines = str(caught.value).splitlines()
    assert len(lines) <= 3
    assert all(len(line) <= 400 and line.isprintable() for line in lines)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10, "KiB"
    return lines[0]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where anything but the file itself is opened."""

    def opened(*arguments: object) -> None:
        raise AssertionError("a base was looked for")

    monkeypatch.setattr(rebuild, "find_base", opened)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_none(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*arguments: object) -> None:
        raise AssertionError("tensors were read")

    monkeypatch.setattr(file, "load_tensors", read)
    (tmp_path / "hostile").write_bytes(FILES[name])
    refused(tmp_path / "hostile")


@pytest.mark.usefixtures("alone")
def test_a_file_with_a_hole_of_many_gigabytes(tmp_path: Path) -> None:
    size = 9 << 30
    (tmp_path / "sparse").write_bytes(raw(table(z=tensor([size // 4], 0, size))))
    os.truncate(tmp_path / "sparse", (tmp_path / "sparse").stat().st_size + size)
    assert "is damaged" in refused(tmp_path / "sparse")


@pytest.mark.usefixtures("alone")
def test_a_tensor_that_is_too_large_for_what_it_says(one, tmp_path: Path) -> None:
    more = forged(one.artifact, tmp_path / "more", lambda header, tensors: tensors.update(more=torch.zeros(1 << 20)))
    assert "4,194,5" in refused(more)


@pytest.mark.usefixtures("alone")
def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert "is no plain file" in refused(tmp_path / "pipe")
    assert "is no plain file" in refused(tmp_path / "zero")
    for path in (tmp_path, tmp_path / "gone", tmp_path / ("x" * 300), tmp_path / "pipe" / "below"):
        assert "there is no file" in refused(path)


def _base(**changes: Any) -> Callable[..., object]:
    return lambda header, tensors: header["base"].update(changes)


CHANGES: dict[str, Callable[..., object]] = {
    "no number": lambda header, tensors: header.update(d=0),
    "fewer than none": lambda header, tensors: header.update(d=-5, D=-1),
    "more numbers than weights": lambda header, tensors: header.update(D=1),
    "a D beyond all models": lambda header, tensors: header.update(D=10**30),
    "a d beyond all files": lambda header, tensors: header.update(d=2**31, D=2**33),
    "a D of 400 digits": lambda header, tensors: header.update(D=10**400),
    "a negative seed": lambda header, tensors: header.update(seed=-1),
    "a long seed": lambda header, tensors: header.update(seed=10**100),
    "a padding token below 0": lambda header, tensors: header.update(pad_token_id=-7),
    "a folder above": _base(reference="../../../etc"),
    "an absolute folder": _base(reference="/etc"),
    "a folder on the way": _base(reference="tiny/../../x"),
    "dots": _base(reference="a..b"),
    "a hidden folder": _base(source="hub", reference=".ssh/id"),
    "a hub's folder above": _base(source="hub", reference="owner/../../x"),
    "a local folder by name": _base(source="local", reference="/etc"),
    "an unknown source": _base(source="pickle"),
    "a fingerprint that is a path": _base(fingerprint="../../x"),
    "code as a projection": lambda header, tensors: header["subspace"].update(projection="os:system"),
    "full fine-tuning": lambda header, tensors: header["subspace"].update(method="full"),
    "an unknown scope": lambda header, tensors: header["subspace"].update(scope="galaxy"),
    "many patterns": lambda header, tensors: header["subspace"].update(exclude=["*"] * 10**5),
    "a long pattern": lambda header, tensors: header["subspace"].update(exclude=["*a" * 10**4]),
    "no hash": lambda header, tensors: header.update(theta="\x1b[31m"),
    "many classes": lambda header, tensors: header.update(label_names=["x"] * 10**5),
    "as many outputs": lambda header, tensors: header.update(outputs=10**9),
    "a message's length": lambda header, tensors: header.update(message_bits=5),
    "nested names": lambda header, tensors: header.update(label_names=[[[["x"]]]]),
    "a deep text": lambda header, tensors: header.update(versions={"torch": [["2"]]}),
    "a kind": lambda header, tensors: header.update(kind="\x1b[2J" * 1000),
}  # fmt: skip


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("name", CHANGES)
def test_a_header_that_cannot_be(one, tmp_path: Path, name: str) -> None:
    refused(forged(one.artifact, tmp_path / "forged", CHANGES[name]))


@pytest.mark.parametrize("layers", [10**7, 10**12])
def test_a_base_that_asks_for_too_much(one, folder: Path, tmp_path: Path, layers: int) -> None:
    changed = forged(one.artifact, tmp_path / "forged", _base(overrides={"num_hidden_layers": layers}))
    refused(changed, folder / "base")


def test_a_message_of_more_numbers_than_weights(one, folder: Path, tmp_path: Path) -> None:
    many = bytes([0b1_1_000000, 0b0_0000000, 0b0_0000000, *[255] * 20])

    def claim(header: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        tensors["message"] = torch.frombuffer(bytearray(many), dtype=torch.uint8)

    assert "the coded message is damaged" in refused(forged(one.coded, tmp_path / "many", claim), folder / "base")
    with pytest.raises(Damaged):
        decode(many, most=1000)

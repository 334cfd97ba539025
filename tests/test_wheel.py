"""The wheel has everything that the package needs, and a sweep runs from it. Slow: it is built, installed and used."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from intdim.kernels.shipped import LEVELS, RECORD

ROOT = Path(__file__).resolve().parents[1]
PRODUCTS = "intdim/kernels/products/"
COMPILES = platform.system() == "Linux" and any(map(shutil.which, ("cc", "gcc", "clang")))
pytestmark = pytest.mark.slow


def build(folder: Path, **environment: str) -> Path:
    """Build the wheel as pip does, without a network."""
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    words = ["pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(ROOT)]
    done = subprocess.run(
        [sys.executable, "-m", *words], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it is built on this machine."""
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def pure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it is built where there is no compiler."""
    return build(tmp_path_factory.mktemp("pure"), INTDIM_NATIVE="0")


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_name_of_a_wheel_says_whether_it_has_compiled_products(wheel: Path, pure: Path) -> None:
    assert pure.name.endswith("-py3-none-any.whl")
    assert not any(name.startswith(PRODUCTS) for name in names_in(pure))
    levels = LEVELS.get(platform.machine(), {}) if COMPILES else {}
    shipped = {f"{PRODUCTS}{level}.so" for level in levels} | ({PRODUCTS + RECORD} if levels else set())
    assert {name for name in names_in(wheel) if name.startswith(PRODUCTS)} == shipped
    assert wheel.name.endswith(f"-py3-none-linux_{platform.machine()}.whl" if levels else "-py3-none-any.whl")


@pytest.mark.parametrize("which", ["wheel", "pure"])
def test_the_wheel_has_what_is_under_the_package_and_the_configuration(
    which: str, request: pytest.FixtureRequest
) -> None:
    names = {name for name in names_in(request.getfixturevalue(which)) if not name.startswith(PRODUCTS)}
    tracked = subprocess.run(
        ["git", "ls-files", "intdim", "conf"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    wanted = {f"intdim/{name}" if name.startswith("conf/") else name for name in tracked if (ROOT / name).exists()}
    assert len(wanted) > 300
    assert not wanted - names, "missing in the wheel"
    foreign = {name for name in names - wanted if ".dist-info/" not in name}
    assert not foreign, "in the wheel, and not under version control"


def test_a_sweep_runs_from_the_wheel_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    target, here = tmp_path / "site-packages", tmp_path / "here"
    here.mkdir()
    words = ["pip", "install", "--no-deps", "--no-index", "--quiet", "--target", str(target), str(wheel)]
    subprocess.run([sys.executable, "-m", *words], check=True)
    environment = {**os.environ, "PYTHONPATH": str(target), "INTDIM_CACHE": str(tmp_path / "cache")}

    def intdim(*words: str, **changes: str) -> str:
        command = [sys.executable, "-P", "-m", "intdim", *words]
        settings = environment | changes
        done = subprocess.run(command, cwd=here, env=settings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    found = subprocess.run(
        [sys.executable, "-P", "-c", "import intdim; print(intdim.__file__)"],
        cwd=here, env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert Path(found.strip()).is_relative_to(target)
    assert intdim("--version").startswith("intdim ")
    if any(name.startswith(PRODUCTS) for name in names_in(wheel)):
        assert "C (shipped" in intdim("doctor", "D=3000", "d=10", PATH="/nowhere", CC=""), "without a compiler"
    intdim("sweep", "experiment=smoke", "device=cpu", "offline=true")
    (file,) = (here / "outputs" / "sweeps").glob("*/verdict.json")
    assert json.loads(file.read_text())["runs"] > 4
    intdim("report")
    assert (here / "outputs" / "reports" / "latest" / "index.html").stat().st_size > 10_000

"""The wheel has everything that the package needs, and a sweep runs from it. Slow: it is built, installed and used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as pip does, without a network."""
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    words = ["pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(ROOT)]
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_has_what_is_under_the_package_and_the_configuration(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
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

    def intdim(*words: str) -> str:
        command = [sys.executable, "-P", "-m", "intdim", *words]
        done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    found = subprocess.run(
        [sys.executable, "-P", "-c", "import intdim; print(intdim.__file__)"],
        cwd=here, env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert Path(found.strip()).is_relative_to(target)
    assert intdim("--version").startswith("intdim ")
    intdim("sweep", "experiment=smoke", "device=cpu", "offline=true")
    (file,) = (here / "outputs" / "sweeps").glob("*/verdict.json")
    assert json.loads(file.read_text())["runs"] > 4
    intdim("report")
    assert (here / "outputs" / "reports" / "latest" / "index.html").stat().st_size > 10_000

from __future__ import annotations

import pytest

from intdim.launch import InProcess

from . import fake_worker
from .contract import LauncherContract, until_ended


@pytest.fixture
def launcher() -> InProcess:
    return InProcess({name: getattr(fake_worker, name) for name in fake_worker.NAMES})


class TestInProcess(LauncherContract):
    pass


def test_a_job_may_be_named_by_where_it_is() -> None:
    launcher = InProcess({"job": f"{fake_worker.__name__}:echo"})
    launcher.submit("a", "job", {"where": "there"})
    assert until_ended(launcher, 1)[-1].data == {"where": "there"}

"""A Slurm of one node on this machine: munged, slurmctld and slurmd from the packages of the system, in one folder."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
PATIENCE = 120.0


def missing() -> str:
    """Return why no Slurm can be started here, "" where one can."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if lacking:
        return f"Slurm is not installed ({', '.join(lacking)})"
    return "" if os.getuid() == 0 else "Slurm's daemons start jobs of their users, for which they need to be root"


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """Start the daemons; give the environment in which Slurm's commands find them."""
    host, key, door = socket.gethostname().split(".")[0], folder / "munge.key", folder / "munge.socket"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    configuration = folder / "slurm.conf"
    lines = {
        "ClusterName": "test", "SlurmctldHost": f"{host}(127.0.0.1)", "SlurmUser": "root", "SlurmdUser": "root",
        "SlurmctldPort": free_port(), "SlurmdPort": free_port(), "AuthType": "auth/munge",
        "AuthInfo": f"socket={door},cred_expire=5", "CredType": "cred/munge", "StateSaveLocation": folder / "state",
        "SlurmdSpoolDir": folder / "spool", "SlurmctldPidFile": folder / "slurmctld.pid",
        "SlurmdPidFile": folder / "slurmd.pid", "SlurmctldLogFile": folder / "slurmctld.log",
        "SlurmdLogFile": folder / "slurmd.log", "ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none",
        "SwitchType": "switch/none", "MpiDefault": "none", "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core", "ReturnToService": 2, "JobRequeue": 1, "KillWait": 5,
        "AccountingStorageType": "accounting_storage/none", "JobAcctGatherType": "jobacct_gather/none",
        "SchedulerParameters": "requeue_setup_env_fail,batch_sched_delay=1,sched_interval=2",
    }  # fmt: skip
    cores = os.cpu_count() or 1
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    text += f"NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=1000 State=UNKNOWN\n"
    text += f"PartitionName=all Nodes={host} Default=YES MaxTime=60 State=UP OverSubscribe=FORCE:4\n"
    configuration.write_text(text)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    environment = {**os.environ, "SLURM_CONF": str(configuration)}

    place = [f"--key-file={key}", f"--socket={door}", f"--pid-file={folder}/munged.pid"]
    place += [f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed", "--force", "--foreground"]
    commands = [["munged", *place], ["slurmctld", "-D"], ["slurmd", "-D", "-N", host]]
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            quiet = subprocess.DEVNULL
            daemons.append(subprocess.Popen(command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet))
            time.sleep(1.0)
        until(lambda: "idle" in said(environment, "sinfo", "-h", "-o", "%T"), folder)
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(20)
            daemon.kill()


def said(environment: dict[str, str], *command: str) -> str:
    """Return what one of Slurm's commands prints."""
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60).stdout


def until(true, folder: Path, seconds: float = PATIENCE) -> None:
    """Wait until something is true; fail with the logs of the daemons when it does not become so."""
    deadline = time.monotonic() + seconds
    while not true():
        logs = "".join(file.read_text(errors="replace")[-2000:] for file in folder.glob("slurm*.log"))
        assert time.monotonic() < deadline, logs
        time.sleep(0.3)

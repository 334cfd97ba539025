"""What a worker says of its machine."""

from __future__ import annotations

from intdim.run.machine import free_memory


def test_free_memory_is_that_of_the_machine_or_of_its_control_group(tmp_path):
    assert free_memory(tmp_path) == 0
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 4000 kB\nMemAvailable:    3000 kB\n")
    assert free_memory(tmp_path) == 3000 * 1024
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.stat").write_text("anon 5\ninactive_file 1000\n")
    (group / "memory.current").write_text("50000\n")
    (group / "memory.max").write_text("max\n")
    assert free_memory(tmp_path) == 3000 * 1024
    (group / "memory.max").write_text("90000\n")
    assert free_memory(tmp_path) == 41_000

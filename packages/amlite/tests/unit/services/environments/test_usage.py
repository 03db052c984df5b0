"""What a running program uses."""

from __future__ import annotations

import subprocess
import sys

from amlite.services.environments.usage import Usage, of_container, of_processes

# The kernel counts whole ticks of each process, so that less is found than was used.
BUSY = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
PARENT = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}])\nprint(flush=True)\ninput()"


def test_processes_count_with_their_descendants_and_those_that_ended() -> None:
    arguments = [sys.executable, "-c", PARENT]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        during = of_processes(process.pid)
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()
        after = of_processes(process.pid)
        process.communicate("\n")
    assert during is not None
    assert after is not None
    assert min(during.cpu_seconds, after.cpu_seconds) >= 0.2
    assert after.cpu_seconds >= during.cpu_seconds - 0.05
    assert during.memory > after.memory > 0  # the child's memory is free again
    assert of_processes(process.pid) is None


def test_container_counts_as_docker_stats_counts_it() -> None:
    memory = {"usage": 300, "stats": {"inactive_file": 100}}
    found = of_container({"cpu_stats": {"cpu_usage": {"total_usage": 2_500_000_000}}, "memory_stats": memory})
    assert found == Usage(2.5, 200)
    assert of_container({"cpu_stats": {}, "memory_stats": {}}) is None

"""A job that runs as a process attacks the machine that it runs on."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import pty
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from amlite.core import private_folder, runtime
from amlite.core.platform import Platform
from amlite.services.environments import confinement
from amlite.services.environments.confinement import Confinement

Attack = Callable[[str], str]
Run = Callable[[str], "subprocess.CompletedProcess[str]"]
Line = Callable[[str], list[str]]
# Some machines allow no namespaces. There, programs are not confined, and their log says so.
POSSIBLE = subprocess.run(["unshare", "-rmn", "true"], check=False, capture_output=True).returncode == 0
_PROCESSES = ["unshare", "-rmnpf", "--mount-proc", "true"]
OWN_PROCESSES = subprocess.run(_PROCESSES, check=False, capture_output=True).returncode == 0
_LAYER = (
    "mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w"
    " && mount -t overlay o -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w,userxattr /mnt"
)
LAYERS = subprocess.run(["unshare", "-rm", "sh", "-c", _LAYER], check=False, capture_output=True).returncode == 0
pytestmark = pytest.mark.attack
needs_own_processes = pytest.mark.skipif(not OWN_PROCESSES, reason="no namespaces of processes here")


@pytest.fixture
def proxy() -> Iterator[int]:
    """A port that answers one caller."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):  # nobody called
                near, _ = listener.accept()
                near.sendall(b"proxy")
                near.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            # Ends the thread, which would accept at whatever gets this socket's number next.
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture(params=["confined"] if POSSIBLE else [])
def confined_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: int) -> Line:
    """Return the command line of a script as a job."""
    home, state = tmp_path / "home", tmp_path / "state"
    for folder in (home / ".azure", state / "job", state / "other", state / "input", state / "venv,1:2",
                   state / "certificates"):  # fmt: skip
        folder.mkdir(parents=True)
    (home / ".azure" / "token").write_text("TOKEN")
    (home / ".databrickscfg").write_text("TOKEN")
    (state / "key").write_text("KEY")
    (state / "other" / "output").write_text("OTHER")
    (state / "input" / "rows").write_text("ROWS")
    (state / "venv,1:2" / "package").write_text("1")
    state.chmod(0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(state))
    made = Confinement(state, proxy, own_processes=OWN_PROCESSES)

    return lambda script: made.line(
        ["bash", "-c", script], {"PATH": os.environ["PATH"], "LD_PRELOAD": ""},
        cwd=state / "job", folders=[state / "job"], read=[state / "input", state / "venv,1:2"],
        layered=[state / "venv,1:2"],
    )  # fmt: skip


@pytest.fixture
def confined(confined_line: Line) -> Run:
    """Run a script as a job."""
    return lambda script: subprocess.run(confined_line(script), check=False, capture_output=True, text=True, timeout=60)


@pytest.fixture
def attack(confined: Run) -> Attack:
    """Run a script as a job. Return its output."""

    def run(script: str) -> str:
        done = confined(script)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def test_the_temporary_files_of_a_job_are_on_the_disk(confined_line: Line, tmp_path: Path) -> None:
    given = json.loads(Path(confined_line("true")[-1]).read_text("utf-8"))
    assert Path(given["temporary"]).parent == private_folder.find(tmp_path / "state", private_folder.FILES)


def test_a_job_reads_its_inputs_and_writes_its_own_folder(attack: Attack, tmp_path: Path, proxy: int) -> None:
    assert attack(f"cat {tmp_path}/state/input/rows; echo mine > {tmp_path}/state/job/made") == "ROWS"
    assert (tmp_path / "state" / "job" / "made").read_text() == "mine\n"
    assert attack("echo a > /tmp/a && ls -d /tmp/a") == "/tmp/a"
    assert attack(f"cat </dev/tcp/127.0.0.1/{proxy}") == "proxy"
    assert attack("id -u") == str(os.geteuid())


def test_a_pipe_of_a_job_ends_with_its_reader(confined: Run) -> None:
    done = confined("yes | head -n 1; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGPIPE, "y\n", "")


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", "TMPDIR"])
def test_a_job_finds_nothing_where_sockets_of_this_user_are(
    confined_line: Line, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    """Another amlite may start while the job runs: the socket of its Docker engine was not hidden."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:  # /tmp is hidden anyway
        monkeypatch.setenv(variable, place)
        if variable == "TMPDIR":
            monkeypatch.setattr(tempfile, "tempdir", None)
            monkeypatch.delenv("XDG_RUNTIME_DIR")
            (tmp_path / "state" / "run").unlink(missing_ok=True)
        (Path(place) / "bin").mkdir()
        monkeypatch.setenv("PATH", f"{place}/bin{os.pathsep}{os.environ['PATH']}")
        waits = f"echo begun; read; ls {place}; ls -d {place}/bin"
        with (
            subprocess.Popen(confined_line(waits), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as job,
            socket.socket(socket.AF_UNIX) as later,
        ):
            assert job.stdout is not None
            assert job.stdout.readline() == "begun\n"
            (Path(place) / "amlite-other").mkdir()
            later.bind(f"{place}/amlite-other/engine.sock")
            said, _ = job.communicate("\n", timeout=60)
    assert "amlite-other" not in said
    assert f"{place}/bin" in said


@pytest.mark.skipif(not LAYERS, reason="no layers of folders here")
def test_a_job_changes_its_environment_for_itself_alone(attack: Attack, tmp_path: Path) -> None:
    """`pip install` in a command is in many samples, and works in a container."""
    environment = tmp_path / "state" / "venv,1:2"
    script = f"cd '{environment}' && cat package && rm package && mkdir package && echo 2 > package/new && ls -R"
    assert attack(script).split() == ["1.:", "package", "./package:", "new"]
    assert attack(f"cat '{environment}/package'; echo 3 > '{environment}/package'; cat '{environment}/package'") == "13"
    assert [each.name for each in environment.iterdir()] == ["package"]
    assert (environment / "package").read_text() == "1"
    assert list((tmp_path / "state").glob("**/tmp-*")) == []


@pytest.mark.parametrize("secret", ["state/key", "state/other/output", "home/.azure/token", "home/.databrickscfg"])
def test_a_job_reads_neither_keys_nor_other_jobs(attack: Attack, tmp_path: Path, secret: str) -> None:
    assert attack(f"cat {tmp_path}/{secret} || true") == ""


def test_a_job_reads_no_other_process(attack: Attack) -> None:
    assert attack(f"cat /proc/{os.getpid()}/environ /proc/{os.getpid()}/root/etc/hostname || true") == ""


def test_a_job_reads_no_other_job(attack: Attack, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        other = pool.submit(
            attack, "export TOKEN=other; bash -c 'touch started; until [ -e end ]; do sleep 0.02; done'"
        )
        while not (tmp_path / "state" / "job" / "started").exists():
            assert not other.done()
        found = attack("cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -x TOKEN=other || true; touch end")
    assert found == ""


@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_SEQPACKET", "SOCK_DGRAM"])
def test_a_job_reaches_no_socket_of_the_machine(attack: Attack, kind: str) -> None:
    """Systemd, a desktop's bus and a key agent do at their sockets what their callers ask for.

    A daemon that takes single messages, such as the one for the time, listens to nothing.
    """
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as place,  # /tmp is hidden anyway
        socket.socket(socket.AF_UNIX, getattr(socket, kind)) as bus,
    ):
        path = Path(place) / "bus"
        bus.bind(str(path))
        if kind != "SOCK_DGRAM":
            bus.listen()
        script = f"import socket; socket.socket(socket.AF_UNIX, socket.{kind}).connect('{path}'); print('reached')"
        assert attack(f'python3 -c "{script}" 2>/dev/null || true') == ""


@pytest.mark.parametrize("path", ["{state}/input/rows", "{state}/input/new", "/etc/amlite-attack", "{home}/.bashrc"])
def test_a_job_changes_nothing_else(attack: Attack, tmp_path: Path, path: str) -> None:
    target = Path(path.format(state=tmp_path / "state", home=tmp_path / "home"))
    before = target.read_text() if target.exists() else None
    attack(f"echo attacked > {target} || true; rm -f {target} || true")
    assert (target.read_text() if target.exists() else None) == before


def test_a_job_cannot_undo_its_confinement(attack: Attack, tmp_path: Path) -> None:
    state = tmp_path / "state"
    undo = f"umount {state}; umount /tmp; mount -o remount,rw /; unshare -Urm umount {state}; true"
    assert (
        attack(f"({undo}) >/dev/null 2>&1; cat {state}/key; grep -c '^Cap.*[1-9a-f]$' /proc/self/status; true") == "0"
    )


def test_a_job_reaches_no_other_port_of_the_machine(attack: Attack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as private:
        port = private.getsockname()[1]
        assert attack(f"(exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached) 2>/dev/null || true") == ""


def test_a_job_opens_no_device_but_those_of_a_container(attack: Attack) -> None:
    """Through the device of a disk, root reads and writes every file around all that is mounted."""
    given = {
        "fd",
        "full",
        "null",
        "ptmx",
        "pts",
        "random",
        "shm",
        "stderr",
        "stdin",
        "stdout",
        "tty",
        "urandom",
        "zero",
    }
    others = set(attack("ls /dev").split()) - given
    assert [each for each in others if not each.startswith(("nvidia", "dri", "kfd", "neuron", "accel"))] == []
    assert attack("touch /dev/new 2>/dev/null || echo none") == "none"
    assert attack("head -c 3 /dev/zero | wc -c; echo out > /dev/stdout; echo a > /dev/shm/a && cat /dev/shm/a") == (
        "3\nout\na"
    )


def test_a_job_has_terminals_of_its_own_only(attack: Attack) -> None:
    """Who opens a terminal of the user reads the next password, and writes what looks like a prompt."""
    ours, theirs = pty.openpty()
    try:
        path, number = os.ttyname(theirs), os.fstat(theirs).st_rdev
        script = f"import os; print(os.stat('{path}').st_rdev == {number} and os.fstat(os.open('{path}', 2)).st_ino)"
        assert attack(f'python3 -c "{script}" 2>/dev/null || echo none') == "none"
        assert attack("python3 -c \"import pty; pty.spawn(['tty'])\"") == "/dev/pts/0"
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_job_reaches_no_shared_memory_of_other_programs(attack: Attack) -> None:
    libc = ctypes.CDLL(None)
    shared = libc.shmget(0, 4096, 0o600)
    try:
        script = f"import ctypes; print(ctypes.CDLL(None).shmctl({shared}, 0, 0))"
        assert attack(f'python3 -c "{script}"') == "-1"
        assert libc.shmctl(shared, 0, 0) == 0
    finally:
        libc.shmctl(shared, 0, 0)


@pytest.mark.parametrize("place", [".layers/0/work/work", ".layers/9/work/work", ".layers/0/work", ".layers"])
def test_a_job_changes_no_mode_by_a_link_that_it_leaves(attack: Attack, tmp_path: Path, place: str) -> None:
    """What remains of a layer is deleted with the rights of the user."""
    victim = tmp_path / "victim" / "0" / "work" / "work"
    victim.mkdir(parents=True, mode=0o755)
    depth = {".layers": 2, ".layers/0/work": 0}.get(place)
    link, target = f"/tmp/{place}", victim if depth is None else victim.parents[depth]
    attack(f"[ ! -e /tmp/.layers ] || mv /tmp/.layers /tmp/moved; mkdir -p $(dirname {link}); ln -s {target} {link}")
    assert victim.stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root inherits rights")
def test_a_job_of_root_inherits_no_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some engines let the programs of a container inherit its rights, with which root undoes its mounts."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    made = Confinement(tmp_path, 1, own_users=False, own_processes=OWN_PROCESSES)
    line = made.line(["grep", "-c", "^Cap.*[1-9a-f]$", "/proc/self/status"], {"PATH": os.defpath},
                     cwd=Path("/"), folders=[], read=[])  # fmt: skip
    done = subprocess.run(
        ["setpriv", "--inh-caps", "+sys_admin,+dac_override", *line], check=False, capture_output=True, text=True
    )
    assert done.stdout == "0\n", done.stderr


@pytest.mark.parametrize("name", ["AZURE_CONFIG_DIR", "KUBECONFIG", "GOOGLE_APPLICATION_CREDENTIALS"])
def test_a_job_reads_no_credentials_that_a_variable_names(
    attack: Attack, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A step of a CI host keeps those of its sign-in in a folder of its own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        secret = Path(folder) / "token"
        secret.write_text("TOKEN")
        monkeypatch.setenv(name, folder if name == "AZURE_CONFIG_DIR" else str(secret))
        assert attack(f"cat {secret} 2>/dev/null || true") == ""


_ASK_KERNEL = """
import ctypes, platform, socket
refused = []
for family in (socket.AF_VSOCK, socket.AF_ALG, socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):
    try:
        socket.socket(family, socket.SOCK_SEQPACKET if family == socket.AF_ALG else socket.SOCK_DGRAM).close()
    except OSError as error:
        refused.append(f"{family.name} {error.errno}")
libc = ctypes.CDLL(None, use_errno=True)
calls = {"x86_64": (248, 249, 250, 425), "aarch64": (217, 218, 219, 425)}[platform.machine()]
for call in calls:
    refused.append(f"{call - calls[0]} {libc.syscall(call, 0, 0, 0, 0, 0)} {ctypes.get_errno()}")
print(*refused, sep=", ")
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no filter for this machine")
def test_a_job_reaches_nothing_that_namespaces_do_not_divide(attack: Attack) -> None:
    """The hypervisor, and the keyrings of the kernel. Requests of io_uring would pass by the filter."""
    refused = ", ".join(f"{call} -1 38" for call in (0, 1, 2, 177 if platform.machine() == "x86_64" else 208))
    assert attack(f"{sys.executable} -c {shlex.quote(_ASK_KERNEL)}") == f"AF_VSOCK 97, AF_ALG 97, {refused}"


_ASK_FOR_RIGHTS = """
import ctypes, os, platform, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
users, mounts, groups = 0x10000000, 0x00020000, 0x02000000
clone = {"x86_64": 56, "aarch64": 220}[platform.machine()]
print(libc.syscall(clone, users | 17, 0, 0, 0, 0), ctypes.get_errno())
print(libc.syscall(435, 0, 0), ctypes.get_errno())
print(libc.unshare(users | mounts | groups), ctypes.get_errno())
os.makedirs("/tmp/groups", exist_ok=True)
print(libc.mount(b"none", b"/tmp/groups", b"cgroup2", 0, b""), os.listdir("/tmp/groups"))
thread = threading.Thread(target=print, args=("a thread",))
thread.start()
thread.join()
sys.stdout.flush()
subprocess.run(["echo", "a process"], check=True)
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no filter for this machine")
def test_a_job_gets_no_rights_in_namespaces_of_its_own(attack: Attack) -> None:
    """It mounted the control groups there, and could freeze or end what runs in its own: all of this user."""
    said = attack(f"{sys.executable} -c {shlex.quote(_ASK_FOR_RIGHTS)}")
    assert said.splitlines() == ["-1 38", "-1 38", "-1 38", "-1 []", "a thread", "a process"]


async def test_a_machine_without_namespaces_is_said(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.environment["HTTPS_PROXY"] = "http://127.0.0.1:1"
    monkeypatch.setattr(confinement, "_PROGRAM", Path("/nonexistent"))
    assert await confinement.of(platform) is None


def test_a_job_reads_no_state_of_another_amlite(
    attack: Attack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    other, gone = Path.cwd() / f".amlite-{os.getpid()}", tmp_path / "gone"
    other.mkdir()
    try:
        (other / "key").write_text("KEY")
        for state in (other, gone):
            runtime.remember(state)
        assert attack(f"cat {other}/key || true") == ""
        assert runtime.others(tmp_path / "state") == [other]
        assert len(list((tmp_path / "cache" / "amlite" / "states").iterdir())) == 1
    finally:
        shutil.rmtree(other)


@needs_own_processes
def test_a_job_leaves_no_process_behind(attack: Attack) -> None:
    """Neither in another session, nor with other variables, nor as the child of a process that has ended."""
    seconds = f"30.{os.getpid()}"
    quiet = f"sleep {seconds} >/dev/null 2>&1 &"
    script = f"(setsid {quiet}) ; env -i setsid nohup {quiet} echo begun; sleep 0.2"
    assert attack(script) == "begun"
    left = [each.pid for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", seconds]]
    assert left == []


@needs_own_processes
def test_a_job_sees_and_ends_no_other_process(attack: Attack) -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        try:
            assert (
                attack(f"kill -9 {other.pid} 2>/dev/null || ls -d /proc/{other.pid} 2>/dev/null || echo none") == "none"
            )
            assert int(attack("ls -d /proc/[0-9]* | wc -l")) < 6
            assert other.poll() is None
        finally:
            other.kill()


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", -9), ("kill -15 $$", -15)])
def test_a_job_ends_as_its_program_does(confined: Run, script: str, code: int) -> None:
    assert confined(script).returncode == code


@needs_own_processes
def test_a_job_that_is_stopped_ends_with_all_that_it_started(confined_line: Line) -> None:
    seconds, began = f"30.{os.getpid()}", time.monotonic()
    script = f"trap 'echo stopped; exit 0' TERM; setsid sleep {seconds} & echo begun; wait"
    with subprocess.Popen(confined_line(script), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        running.terminate()
        assert running.stdout.readline() == "stopped\n"
    with subprocess.Popen(confined_line(script), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        running.kill()
        running.stdout.read()  # ends with the last process that could write
    assert time.monotonic() - began < 20


@needs_own_processes
def test_a_job_whose_whole_group_is_stopped_ends_without_a_word(confined_line: Line) -> None:
    """Each process of the job is told by the group and by the process before it, which may be later than its end."""
    running = [
        subprocess.Popen(
            confined_line("echo begun; exec sleep 100"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for _ in range(5)
    ]
    for each in running:
        assert each.stdout is not None
        assert each.stdout.readline() == "begun\n"
        os.killpg(each.pid, signal.SIGTERM)
        assert each.communicate(timeout=60) == ("", "")
        assert each.returncode == -signal.SIGTERM


def test_a_job_of_an_amlite_whose_files_were_updated_says_so(confined_line: Line) -> None:
    line = confined_line("true")
    given = json.loads(Path(line[-1]).read_text("utf-8"))
    del given["own_processes"]
    Path(line[-1]).write_text(json.dumps(given), "utf-8")
    done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (125, "amlite's files were updated while it runs\n  fix: amlite stop\n")

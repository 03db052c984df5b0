"""amlite as a process: start, stop, kill, races, stale state, and what `amlite run` gives a command."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from amlite import SUBSCRIPTION_ID
from amlite.cli import main
from amlite.core import runtime
from amlite.core.processes import OWNER_VARIABLE

AMLITE = [sys.executable, "-m", "amlite.cli"]
# What a shell outside `amlite run` may hold; this test session itself may run inside one.
_INSIDE = (
    runtime.INSIDE, "HTTPS_PROXY", "https_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NO_PROXY", "no_proxy",
    "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID",
)  # fmt: skip
# A client of its own: no SDK, so that it is quick.
GET_GROUPS = """
import json, os, urllib.parse, urllib.request
form = {"grant_type": "client_credentials", "client_id": os.environ["AZURE_CLIENT_ID"],
        "client_secret": os.environ["AZURE_CLIENT_SECRET"], "scope": "https://management.azure.com/.default"}
url = f"https://login.microsoftonline.com/{os.environ['AZURE_TENANT_ID']}/oauth2/v2.0/token"
token = json.load(urllib.request.urlopen(url, urllib.parse.urlencode(form).encode()))["access_token"]
group = f"https://management.azure.com/subscriptions/{os.environ['AZURE_SUBSCRIPTION_ID']}/resourcegroups"
def ask(method, url, body=None):
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, method=method,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    text = urllib.request.urlopen(request).read()
    return json.loads(text) if text else {}
"""
PUT_ACCOUNT = (
    GET_GROUPS
    + """
ask("PUT", f"{group}/rg?api-version=2021-04-01", {"location": "westeurope"})
account = f"{group}/rg/providers/Microsoft.Storage/storageAccounts/stprocess?api-version=2024-01-01"
ask("PUT", account, {"location": "westeurope", "kind": "StorageV2", "sku": {"name": "Standard_LRS"}})
while ask("GET", account)["properties"]["provisioningState"] == "Creating":
    pass
"""
)
LIST = GET_GROUPS + 'print(",".join(g["name"] for g in ask("GET", f"{group}?api-version=2021-04-01")["value"]))'


@dataclass
class Process:
    """An amlite on a state folder of its own, and what a shell around it holds."""

    state: Path
    environment: dict[str, str]

    def amlite(self, *arguments: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*AMLITE, *arguments], check=False, cwd=cwd, env=self.environment | more, capture_output=True, text=True
        )  # fmt: skip

    def ok(self, *arguments: str, cwd: Path | None = None, **more: str) -> str:
        done = self.amlite(*arguments, cwd=cwd, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, code: str, **more: str) -> str:
        return self.ok("run", "--", sys.executable, "-c", code, **more)

    @property
    def running(self) -> runtime.Runtime:
        found = runtime.read(self.state)
        assert found is not None
        return found

    def owned(self) -> list[psutil.Process]:
        """Every process that belongs to this amlite: itself and whatever carries its mark."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                mine = str(self.state) in process.cmdline()[-1:]
                marked = process.environ().get(OWNER_VARIABLE) == str(self.state)
                if (mine or marked) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Process]:
    environment = {name: value for name, value in os.environ.items() if name not in _INSIDE}
    made = Process(tmp_path / "state", environment | {runtime.VARIABLE: str(tmp_path / "state")})
    yield made
    made.amlite("stop")
    assert made.owned() == []


def test_start_is_idempotent_and_stop_leaves_nothing(local: Process) -> None:
    first, second = local.ok("start"), local.ok("start")
    assert first == second
    assert local.amlite("status").returncode == 0
    assert local.ok("stop") == "amlite stopped\n"
    assert local.owned() == []
    assert local.ok("stop") == "amlite was not running\n"
    assert local.amlite("status").returncode == 1


@pytest.mark.attack
def test_a_start_imports_nothing_of_the_working_folder(local: Process, tmp_path: Path) -> None:
    """It may be a project of somebody else, with a module of a name that amlite imports."""
    (tmp_path / "foreign").mkdir()
    for name in ("amlite", "aiohttp", "asyncio", "psutil", "uvicorn"):
        (tmp_path / "foreign" / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    program = Path(sys.executable).with_name("amlite")
    done = subprocess.run(
        [program, "start"], cwd=tmp_path / "foreign", env=local.environment, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "ran").exists()


def test_two_starts_at_once_both_succeed_with_one_process(local: Process) -> None:
    starting = [
        subprocess.Popen([*AMLITE, "start"], env=local.environment, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = {process.communicate()[0] for process in starting}
    assert [process.returncode for process in starting] == [0, 0, 0, 0]
    assert said == {f"amlite runs (pid {local.running.pid}, state {local.state})\n"}
    assert len(local.owned()) == 1


def test_start_waits_for_one_that_is_still_ending(local: Process) -> None:
    local.ok("start")
    before = local.running.pid
    os.kill(before, signal.SIGTERM)
    runtime.forget(local.state)  # as the ending one does first
    local.ok("start")
    assert local.running.pid != before


@pytest.mark.parametrize(
    "content",
    [
        "garbage", "", "[]", "{}", '{"pid": "x", "started": [], "proxy_port": 0, "environment": {}}',
        '{"pid": 1, "started": 1.0, "proxy_port": 0, "environment": {}}',
        '{"pid": 999999999, "started": 1.0, "proxy_port": 0, "environment": {}}', "\0\xff",
    ],
)  # fmt: skip
def test_stale_runtime_file_is_no_running_amlite(tmp_path: Path, content: str) -> None:
    (tmp_path / "runtime.json").write_text(content, "latin-1")
    assert runtime.read(tmp_path) is None


def test_stale_state_folder_starts(local: Process) -> None:
    certificates = local.state / "certificates"
    certificates.mkdir(parents=True)
    (local.state / "lock").touch()
    (local.state / "runtime.json").write_text('{"pid": 999999999, "started": 1.0, "proxy_port": 1, "environment": {}}')
    (certificates / "ca.key").write_text("-----BEGIN EC PRIV")
    (certificates / "ca.pem").write_text("")
    assert local.python(LIST) == "\n"
    # Jobs and model servers read this folder.
    assert not [each.name for each in certificates.iterdir() if b"PRIVATE KEY" in each.read_bytes()]


def test_unreadable_database_is_one_clear_error(local: Process) -> None:
    local.state.mkdir(mode=0o700)
    (local.state / "amlite.db").write_bytes(b"no database at all" * 100)
    done = local.amlite("start")
    assert done.returncode == 1
    assert (
        "amlite.db cannot be read (file is not a database); forget this local Azure with: amlite reset" in done.stderr
    )
    assert "Traceback" not in done.stderr
    local.ok("reset", "--yes")
    local.ok("start")


def test_a_state_of_a_newer_amlite_is_one_clear_error(local: Process) -> None:
    local.ok("start")
    local.ok("stop")
    database = local.state / "amlite.db"
    with contextlib.closing(sqlite3.connect(database)) as opened:
        opened.execute("PRAGMA user_version = 1000")
    done = local.amlite("start")
    assert done.returncode == 1
    assert f"{database} was written by a newer amlite, and this one cannot read it (format 1000, not 1)" in done.stderr
    assert "Traceback" not in done.stderr
    local.ok("reset", "--yes")
    local.ok("start")


@pytest.mark.attack
@pytest.mark.parametrize("content", [b"", None])
def test_a_lost_database_is_no_new_azure(local: Process, content: bytes | None) -> None:
    """Its blobs and Pulumi's state would be there, and nothing would know of them."""
    local.python(PUT_ACCOUNT)
    local.ok("stop")
    database = local.state / "amlite.db"
    database.unlink()
    if content is not None:
        database.write_bytes(content)
    for _ in range(2):
        done = local.amlite("start")
        assert done.returncode == 1
        assert f"{database} is lost or empty, but azurite" in done.stderr
        assert "amlite reset" in done.stderr
        assert "Traceback" not in done.stderr
    local.ok("reset", "--yes")
    local.ok("start")


def test_a_first_start_finds_what_others_keep_in_the_folder(local: Process) -> None:
    """Such as the stack files of environments beside the local one."""
    (local.state / "environments").mkdir(parents=True)
    local.state.chmod(0o700)
    local.ok("start")


@pytest.mark.attack
def test_a_database_that_another_program_holds_is_not_to_be_forgotten(local: Process) -> None:
    local.ok("start")
    local.ok("stop")
    with contextlib.closing(sqlite3.connect(local.state / "amlite.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        done = local.amlite("start")
    assert done.returncode == 1
    assert "(database is locked); end the program that uses it" in done.stderr
    assert "reset" not in done.stderr


@pytest.mark.attack
def test_commands_on_a_copy_of_a_running_state_spare_the_original(local: Process) -> None:
    """The copy has the file that says which process runs, and with which variables."""
    local.python(PUT_ACCOUNT)
    running = local.running
    copy = local.state.with_name("copy")
    shutil.copytree(local.state, copy, symlinks=True)
    try:
        assert local.amlite("status", AMLITE_STATE=str(copy)).returncode == 1
        assert local.ok("stop", AMLITE_STATE=str(copy)) == "amlite was not running\n"
        told = local.ok("run", "--", "env", AMLITE_STATE=str(copy))
        assert f"AMLITE_STATE={copy}\n" in told
        assert running.environment["HTTPS_PROXY"] not in told
        assert local.running == running
    finally:
        local.ok("reset", "--yes", AMLITE_STATE=str(copy))
    assert local.running == running
    assert local.python(LIST) == "rg\n"


@pytest.mark.attack
def test_a_moved_state_follows_its_folder(local: Process) -> None:
    """Otherwise two would use the same path."""
    local.python(PUT_ACCOUNT)
    before, moved = local.running, local.state.with_name("moved")
    local.state.rename(moved)
    try:
        local.ok("start")
        follower = local.running
        assert local.ok("run", "--", sys.executable, "-c", LIST, AMLITE_STATE=str(moved)) == "rg\n"
        assert not before.alive
        assert local.running == follower
        assert local.python(LIST) == "\n"
    finally:
        local.ok("reset", "--yes", AMLITE_STATE=str(moved))


@pytest.mark.attack
@pytest.mark.parametrize("command", [["stop"], ["reset", "--yes"]])
@pytest.mark.parametrize("file", ["lock", "amlite.db", "run"])
def test_stop_and_reset_end_an_amlite_that_starts(local: Process, file: str, command: list[str]) -> None:
    """It does not answer yet, but it is there."""
    starting = subprocess.Popen([*AMLITE, "start"], env=local.environment, stdout=subprocess.PIPE, text=True)
    while not os.path.lexists(local.state / file):
        assert starting.poll() is None
    # In this process, because another one would begin after amlite has started.
    done = CliRunner().invoke(main, command, env={runtime.VARIABLE: str(local.state)})
    starting.communicate()
    assert done.output == (f"{local.state} is gone\n" if command[0] == "reset" else "amlite stopped\n")
    if command[0] == "reset" and starting.returncode:
        assert not local.state.exists()
    if starting.returncode == 0:  # it answered before, or began again afterwards
        local.ok("stop")
    assert local.owned() == []
    assert local.python(LIST) == "\n"


def test_port_that_was_taken_meanwhile_is_replaced(local: Process) -> None:
    local.ok("start")
    port = local.running.proxy_port
    local.ok("stop")
    with socket.create_server(("127.0.0.1", port)):
        assert local.python(LIST) == "\n"
        assert local.running.proxy_port != port


def test_port_stays_the_same_over_restarts(local: Process) -> None:
    local.ok("start")
    before = local.running
    local.ok("stop")
    local.ok("start")
    assert (local.running.proxy_port, local.running.environment) == (before.proxy_port, before.environment)


def test_kill_leaves_nothing_after_the_next_start_and_loses_nothing(local: Process) -> None:
    local.python(PUT_ACCOUNT)
    local.python("import os, socket\nname, port = os.environ['PULUMI_DEBUG_PROVIDERS'].split(',')[0].split(':')\n"
                 "kept = socket.create_connection(('127.0.0.1', int(port)))\n"
                 "import time\nwhile True:\n"
                 "    import subprocess, json\n"
                 "    told = json.loads(subprocess.run(['amlite', 'status', '--output', 'json'],"
                 " capture_output=True, check=True).stdout)\n"
                 "    if any(c['name'] == f'provider-{name}' for c in told['children']): break\n"
                 "    time.sleep(0.05)\n")  # fmt: skip
    names = {child["name"] for child in json.loads(local.ok("status", "--output", "json"))["children"]}
    assert names >= {"azurite", "provider-azure-native"}
    before = {process.pid for process in local.owned()}
    os.kill(local.running.pid, signal.SIGKILL)

    assert local.python(LIST) == "rg\n"
    assert not before & {process.pid for process in local.owned()}
    account = "import urllib.request\nurllib.request.urlopen(urllib.request.Request("
    assert "ResourceNotFound" not in local.amlite("run", "--", sys.executable, "-c", account + (
        "'https://stprocess.blob.core.windows.net/?comp=list', headers={}))"
    )).stderr  # fmt: skip


def test_it_ends_with_its_deleted_folder_and_spares_the_one_that_follows(local: Process) -> None:
    local.python(PUT_ACCOUNT)
    earlier = local.owned()
    assert local.running.pid in {process.pid for process in earlier}
    shutil.rmtree(local.state, ignore_errors=True)
    local.ok("start")
    follower = local.running
    _, left = psutil.wait_procs(earlier, timeout=60)
    assert left == []
    assert local.running == follower
    assert local.python(LIST) == "\n"


def test_stop_ends_children_and_grandchildren(local: Process) -> None:
    local.python(PUT_ACCOUNT)
    assert len(local.owned()) > 1
    local.ok("stop")
    assert local.owned() == []


def test_nothing_listens_but_on_loopback(local: Process) -> None:
    local.python(PUT_ACCOUNT)
    listening = {
        connection.laddr.ip
        for process in local.owned()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening
    assert listening <= {"127.0.0.1", "::1"}


def test_run_passes_the_exit_code_and_arguments(local: Process) -> None:
    done = local.amlite("run", "--", "sh", "-c", 'echo "$@"; exit 7', "sh", "-h", "--help", "a b")
    assert (done.returncode, done.stdout) == (7, "-h --help a b\n")


def test_a_pipe_of_run_ends_with_its_reader(local: Process) -> None:
    done = local.amlite("run", "--", "bash", "-c", "yes | head -n 1; exit ${PIPESTATUS[0]}")
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGPIPE, "y\n", "")


@pytest.mark.skipif(shutil.which("wget") is None, reason="no wget here")
def test_wget_trusts_the_hosts_of_amlite(local: Process) -> None:
    address = "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"
    assert '"issuer"' in local.ok("run", "--", "wget", "--quiet", "--output-document=-", address)


def test_run_passes_signals(local: Process) -> None:
    local.ok("start")
    code = (
        "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(9))\n"
        "print('up', flush=True)\nsignal.pause()"
    )
    with subprocess.Popen(
        [*AMLITE, "run", "--", sys.executable, "-c", code], env=local.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.terminate()
        assert process.wait() == 9
    assert local.running.alive, "the command's signal is not amlite's"


def test_run_of_a_missing_command_is_one_line(local: Process) -> None:
    done = local.amlite("run", "--", "no-such-program")
    assert (done.returncode, done.stderr) == (1, "Error: no-such-program: command not found\n")


def test_run_replaces_what_would_lead_elsewhere(local: Process) -> None:
    shown = local.python(
        "import json, os; print(json.dumps(dict(os.environ)))",
        HTTPS_PROXY="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9", NO_PROXY="*", no_proxy="*",
        PULUMI_BACKEND_URL="https://api.pulumi.com", AZURE_TENANT_ID="real", AZURE_AUTHORITY_HOST="login.example",
        ARM_USE_OIDC="true", ARM_SUBSCRIPTION_ID="real", PYTHONDONTWRITEBYTECODE="1",
    )  # fmt: skip
    got = json.loads(shown)
    proxy = local.running.environment["HTTPS_PROXY"]
    assert proxy.startswith("http://amlite:")
    assert (got["HTTPS_PROXY"], got["https_proxy"]) == (proxy, proxy)
    assert got["NO_PROXY"] == got["no_proxy"] == "127.0.0.1,localhost"
    assert got["ARM_SUBSCRIPTION_ID"] == got["AZURE_SUBSCRIPTION_ID"] == SUBSCRIPTION_ID
    assert got["PULUMI_BACKEND_URL"] == (local.state / "pulumi").as_uri()
    assert not {"AZURE_AUTHORITY_HOST", "ARM_USE_OIDC", "PYTHONDONTWRITEBYTECODE"} & got.keys()


REAL = {"AZURE_STORAGE_KEY": "real", "ARM_ACCESS_KEY": "real", "AWS_SECRET_ACCESS_KEY": "real", "ARM_USE_OIDC": "true"}


@pytest.mark.attack
def test_credentials_of_real_clouds_reach_nothing_that_runs_locally(local: Process) -> None:
    local.ok("start", **REAL)
    assert not REAL.keys() & psutil.Process(local.running.pid).environ().keys()
    shown = "import json, os; print(json.dumps(dict(os.environ)))"
    got = json.loads(local.python(shown, **REAL, GITHUB_TOKEN="mine"))
    assert not REAL.keys() & got.keys()
    assert got["GITHUB_TOKEN"] == "mine"
    assert "unset ARM_ACCESS_KEY\n" in local.ok("env", **REAL)
    assert "AZURE_STORAGE_KEY=\n" in local.ok("env", "--for", "github", **REAL)
    told = local.ok("env", "--for", "azure-devops", **REAL)
    assert "##vso[task.setvariable variable=AWS_SECRET_ACCESS_KEY]\n" in told
    assert "ARM_USE_OIDC" not in told


def test_inherited_proxy_is_chained_to_also_when_amlite_starts_again_inside_a_run(local: Process) -> None:
    code = "import urllib.request\nurllib.request.urlopen('https://elsewhere.example/')"
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        upstream.settimeout(30)
        inherited = f"http://127.0.0.1:{upstream.getsockname()[1]}"
        local.ok("start", HTTPS_PROXY=inherited)
        # The start inside sees amlite's own proxy in its environment, and must not make amlite dial itself.
        again = f"{sys.executable} -m amlite.cli"
        local.ok("run", "--", "sh", "-c", f"{again} stop && {again} start", HTTPS_PROXY=inherited)
        asking = subprocess.Popen(
            [*AMLITE, "run", "--", sys.executable, "-c", code], env=local.environment, stderr=subprocess.PIPE, text=True
        )
        connection, _ = upstream.accept()
        with connection:
            head = connection.recv(4096)
            connection.sendall(b"HTTP/1.1 418 Teapot\r\n\r\n")
        assert head.startswith(b"CONNECT elsewhere.example:443 HTTP/1.1\r\n")
        assert "418 Teapot" in asking.communicate()[1]


def test_works_from_any_folder(local: Process, tmp_path: Path) -> None:
    local.ok("start", cwd=tmp_path)
    code = "import os, sys; sys.stdout.write(os.getcwd())"
    assert local.ok("run", "--", sys.executable, "-c", code, cwd=tmp_path) == str(tmp_path)


def test_env_is_for_eval(local: Process) -> None:
    program = f'eval "$({sys.executable} -m amlite.cli env)" && {sys.executable} -c "$CODE"'
    done = subprocess.run(
        ["sh", "-c", program],
        check=False,
        capture_output=True,
        text=True,
        env={**local.environment, "CODE": LIST, "AZURE_AUTHORITY_HOST": "login.example"},
    )
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr


@pytest.mark.attack
def test_a_log_does_not_control_the_terminal(local: Process) -> None:
    """The sequence writes the clipboard."""
    (local.state / "logs").mkdir(parents=True, exist_ok=True)
    (local.state / "logs" / "hostile.log").write_text("a\x1b]52;c;cm0gLXJm\x07b\n")
    assert local.ok("logs", "hostile") == "a\ufffd]52;c;cm0gLXJm\ufffdb\n"
    following = subprocess.Popen(
        [*AMLITE, "logs", "hostile", "--follow"], env=local.environment, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert following.stdout is not None
        assert following.stdout.readline() == "a\ufffd]52;c;cm0gLXJm\ufffdb\n"
    finally:
        os.killpg(following.pid, signal.SIGTERM)
        following.communicate()


def test_logs_are_found_by_name(local: Process) -> None:
    local.python(LIST)
    line = json.loads(local.ok("logs", "requests").splitlines()[-1])
    assert (line["method"], line["host"], line["status"]) == ("GET", "management.azure.com", 200)
    assert "client_secret" not in local.ok("logs", "requests")
    done = local.amlite("logs", "nothing")
    assert done.returncode == 1
    assert "no log 'nothing'" in done.stderr
    assert "requests" in done.stderr


def test_reset_forgets_everything(local: Process) -> None:
    local.python(PUT_ACCOUNT)
    local.ok("reset", "--yes")
    assert not local.state.exists()
    assert local.owned() == []
    assert local.python(LIST) == "\n"


def test_reset_spares_folders_that_are_no_state(local: Process) -> None:
    local.state.mkdir()
    (local.state / "thesis.tex").write_text("years of work")
    done = local.amlite("reset", "--yes")
    assert done.returncode == 1
    assert "is not a state folder of amlite; nothing was deleted" in done.stderr
    assert (local.state / "thesis.tex").exists()
    shutil.rmtree(local.state)


def test_secrets_are_the_owners_alone(local: Process) -> None:
    local.ok("start")
    assert local.state.stat().st_mode & 0o077 == 0
    assert (local.state / "runtime.json").stat().st_mode & 0o077 == 0

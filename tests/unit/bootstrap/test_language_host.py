from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

HOST = Path(__file__).resolve().parents[3] / "bootstrap" / "pulumi_language_python.py"

# Stands in for `pulumi-language-python-exec`: writes down how it was called, then does what its program file says.
EXECUTOR = """
import json, os, sys
arguments = sys.argv[1:]
open("called.json", "w").write(json.dumps({
    "arguments": arguments, "folder": os.getcwd(), "python": sys.executable,
    "config": json.loads(os.environ["PULUMI_CONFIG"]), "secrets": json.loads(os.environ["PULUMI_CONFIG_SECRET_KEYS"]),
}))
exec(open(os.path.join(arguments[-1], "program.py")).read())
"""


class Host:
    """A running language host, with a project beside it."""

    def __init__(self, folder: Path) -> None:
        (folder / "bin").mkdir()
        shutil.copyfile(HOST, folder / HOST.name)
        (folder / "bin" / "pulumi-language-python-exec").write_text(EXECUTOR)
        self.project = folder / "project"
        (self.project / "venv" / "bin").mkdir(parents=True)
        (self.project / "venv" / "bin" / "python").symlink_to(sys.executable)
        self.process = subprocess.Popen(
            [sys.executable, folder / HOST.name, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        port = int(self.process.stdout.readline())
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)])
        self.stub: Any = language_pb2_grpc.LanguageRuntimeStub(self.channel)

    def info(self, **options: str) -> Any:
        return language_pb2.ProgramInfo(
            root_directory=str(self.project),
            program_directory=str(self.project),
            entry_point=".",
            options=ParseDict(options or {"virtualenv": "venv"}, Struct()),
        )

    def request(self, program: str, **options: str) -> Any:
        (self.project / "program.py").write_text(program)
        return language_pb2.RunRequest(
            project="p",
            stack="s",
            pwd=str(self.project),
            dryRun=True,
            parallel=8,
            monitor_address="127.0.0.1:2",
            organization="o",
            config={"p:key": "value"},
            configSecretKeys=["p:key"],
            info=self.info(**options),
        )

    def close(self) -> None:
        self.channel.close()
        self.process.terminate()
        with self.process:
            self.process.wait(20)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.close()


def test_a_program_runs_in_the_projects_interpreter_with_the_engines_arguments(host: Host) -> None:
    host.stub.Handshake(language_pb2.LanguageHandshakeRequest(engine_address="127.0.0.1:3"))
    response = host.stub.Run(host.request(""))
    assert (response.error, response.bail) == ("", False)
    called = json.loads((host.project / "called.json").read_text())
    assert called["python"] == str(host.project / "venv" / "bin" / "python")
    assert called["config"] == {"p:key": "value"}
    assert called["secrets"] == ["p:key"]
    *words, program = called["arguments"]
    assert Path(program) == host.project
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert options == {
        "--monitor": "127.0.0.1:2",
        "--engine": "127.0.0.1:3",
        "--project": "p",
        "--root_directory": str(host.project),
        "--stack": "s",
        "--pwd": str(host.project),
        "--dry_run": "true",
        "--parallel": "8",
        "--organization": "o",
    }


def test_how_a_program_ends_is_told(host: Host) -> None:
    assert host.stub.Run(host.request("sys.exit(32)")).bail
    assert host.stub.Run(host.request("sys.exit(3)")).error == "the program ended with exit code 3"
    killed = host.stub.Run(host.request("import signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert killed.error == "the program was ended by signal SIGKILL"


def test_a_missing_environment_names_its_folder_and_the_fix(host: Host) -> None:
    error = host.stub.Run(host.request("", virtualenv="elsewhere")).error
    assert str(host.project / "elsewhere") in error
    assert "make setup" in error
    with pytest.raises(grpc.RpcError) as caught:
        host.stub.About(language_pb2.AboutRequest(info=host.info(virtualenv="elsewhere")))
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION


def test_toolchain_uv_means_the_usual_environment(host: Host) -> None:
    (host.project / "venv").rename(host.project / ".venv")
    assert host.stub.Run(host.request("", toolchain="uv")).error == ""


def test_about_dependencies_and_the_rest(host: Host) -> None:
    about = host.stub.About(language_pb2.AboutRequest(info=host.info()))
    assert about.version == ".".join(str(part) for part in sys.version_info[:3])
    # The project's environment has no packages; this interpreter's own has the SDK.
    empty = host.stub.GetProgramDependencies(language_pb2.GetProgramDependenciesRequest(info=host.info()))
    assert "pulumi" not in {package.name for package in empty.dependencies}
    request = language_pb2.GetProgramDependenciesRequest(info=host.info(other="x"), transitiveDependencies=True)
    every = {package.name: package.version for package in host.stub.GetProgramDependencies(request).dependencies}
    assert every["pulumi"] == host.stub.GetPluginInfo(empty_pb2.Empty()).version
    request.transitiveDependencies = False
    top = {package.name for package in host.stub.GetProgramDependencies(request).dependencies}
    assert top < set(every)
    installed = list(host.stub.InstallDependencies(language_pb2.InstallDependenciesRequest(info=host.info())))
    assert b"venv/bin/python" in installed[0].stdout
    required = host.stub.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(info=host.info()))
    assert len(required.packages) == 0


def test_a_plugin_runs_and_its_output_and_code_are_passed_on(host: Host) -> None:
    (host.project / "__main__.py").write_text(
        "import sys; print('out', *sys.argv[1:]); print('err', file=sys.stderr); sys.exit(5)"
    )
    request = language_pb2.RunPluginRequest(pwd=str(host.project), args=["one"], info=host.info())
    responses = list(host.stub.RunPlugin(request))
    assert b"".join(response.stdout for response in responses) == b"out one\n"
    assert b"".join(response.stderr for response in responses) == b"err\n"
    assert responses[-1].exitcode == 5


def running_program(host: Host) -> tuple[threading.Thread, list[Any], int]:
    """Start a program that would run for long; returns when it has started, with its process id."""
    results: list[Any] = []
    pipe = host.project / "pipe"
    os.mkfifo(pipe)
    request = host.request(f"open({str(pipe)!r}, 'w').write(str(os.getpid())); import time; time.sleep(600)")

    def run() -> None:
        try:
            results.append(host.stub.Run(request))
        except grpc.RpcError as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results, int(pipe.read_text())


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_cancel_ends_the_program_without_an_error_of_its_own(host: Host) -> None:
    thread, results, pid = running_program(host)
    host.stub.Cancel(empty_pb2.Empty())
    thread.join(20)
    assert results[0].bail
    assert results[0].error == ""
    assert not alive(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_host_stops_by_signal_with_what_it_started(host: Host, number: signal.Signals) -> None:
    thread, _, pid = running_program(host)
    host.process.send_signal(number)
    assert host.process.wait(20) == 0
    thread.join(20)
    assert not alive(pid)


def test_without_the_sdk_it_says_so() -> None:
    ended = subprocess.run([sys.executable, "-S", "-E", HOST], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "has no Pulumi SDK" in ended.stderr


def test_the_host_ends_after_its_engine_was_killed() -> None:
    # The shell stands in for the engine. Its output is a pipe that the host and the program hold open, too.
    engine = f"{sys.executable} {HOST} 127.0.0.1:1 & wait"
    with subprocess.Popen(["/bin/sh", "-c", engine], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        assert int(shell.stdout.readline()) > 0
        shell.kill()
        assert shell.stdout.read() == ""  # returns when no process holds the pipe any more

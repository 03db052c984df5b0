"""Programs as processes that see of this machine what they are given: `confined` runs them."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from amlite.core import private_folder
from amlite.core.platform import Platform
from amlite.core.processes import OWNER_VARIABLE
from amlite.core.runtime import cache_folder, others
from amlite.services.environments.program import plain_http

_PROGRAM = Path(__file__).with_name("confined.py")
_PROBE_SECONDS = 10.0
_TEMPORARY = "/tmp"  # noqa: S108 - the program's own
# Where the user's programs keep credentials, below the home folder, and the sockets of Docker engines.
_CREDENTIALS = (
    ".aws", ".azure", ".cache/huggingface/token", ".cargo/credentials.toml", ".config/chromium", ".config/gcloud",
    ".config/gh", ".config/git/credentials", ".config/google-chrome", ".config/rclone", ".databrickscfg", ".docker",
    ".git-credentials", ".gnupg", ".huggingface", ".kube", ".local/share/keyrings", ".mozilla", ".netrc", ".npmrc",
    ".password-store", ".pgpass", ".pulumi", ".pypirc", ".ssh", ".terraform.d", ".vault-token",
)  # fmt: skip
# The variables with which programs, and the steps of CI hosts, tell where credentials are instead.
_NAMING = (
    "ARM_CLIENT_CERTIFICATE_PATH", "ARM_OIDC_TOKEN_FILE_PATH", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CONFIG_DIR", "AZURE_FEDERATED_TOKEN_FILE",
    "CLOUDSDK_CONFIG", "DATABRICKS_CONFIG_FILE", "DOCKER_CONFIG", "GNUPGHOME", "GOOGLE_APPLICATION_CREDENTIALS",
    "HF_TOKEN_PATH", "KUBECONFIG", "NETRC", "NPM_CONFIG_USERCONFIG", "PGPASSFILE", "PULUMI_HOME",
)  # fmt: skip
# Where a pod and a container have theirs.
_MOUNTED = ("/run/secrets", "/var/run/secrets")
_ENGINES = ("/run/docker.sock", "/run/containerd", "/run/podman")


@dataclass(frozen=True)
class Specification:
    """What `confined` reads. `read` are folders that stay visible, even below a hidden one.

    `layered` are folders that the program may change for itself alone.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    cwd: str
    folders: Sequence[str]
    read: Sequence[str]
    layered: Sequence[str]
    hidden: Sequence[str]
    temporary: str
    ports: Sequence[int]
    own_users: bool
    own_processes: bool


@dataclass(frozen=True)
class Confinement:
    """The confinement of programs on this machine. `proxy` is the port of amlite's proxy.

    Without `own_users`, which only root can do, and without `own_processes`, a program can read the variables of others
    that are confined. Without `own_processes`, it can end other processes, and leave some behind.
    """

    state: Path
    proxy: int
    own_users: bool = True
    own_processes: bool = True

    def line(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        cwd: Path,
        folders: Sequence[Path],
        read: Sequence[Path],
        layered: Sequence[Path] = (),
        ports: Sequence[int] = (),
    ) -> list[str]:
        """Return the command line that runs a command confined. It must run once."""
        private = private_folder.ensure(self.state)
        files = private_folder.ensure(self.state, private_folder.FILES)
        temporary = files / f"tmp-{secrets.token_hex(8)}"
        temporary.mkdir(mode=0o700)
        home = Path.home()
        # Where the sockets of this and other amlites are, and of desktops: also those that are made later. /tmp, which
        # the program has a folder of its own for, hides itself.
        bases = {Path(_TEMPORARY), *(each for each in private_folder.bases() if not home.is_relative_to(each))}
        # In all of them, programs stay visible.
        places = [Path(each) for each in environment.get("PATH", "").split(os.pathsep)]
        programs = [each for each in places if any(each.is_relative_to(base) for base in bases)]
        inherited = {name: value for name, value in environment.items() if name != "TMPDIR"}
        hidden = [
            self.state, *others(self.state), private, files, *sorted(bases - {Path(_TEMPORARY)}),
            cache_folder() / "docker",
            *(home / each for each in _CREDENTIALS), *_named(), *map(Path, (*_MOUNTED, *_ENGINES)),
        ]  # fmt: skip
        given = Specification(
            command=list(command),
            # As in a container, the user's home is not the program's.
            environment={**inherited, **plain_http(inherited), "HOME": _TEMPORARY, OWNER_VARIABLE: str(self.state)},
            cwd=str(cwd),
            folders=[str(each) for each in folders],
            read=[str(each) for each in (*read, *programs, self.state / "certificates") if each.is_dir()],
            layered=[str(each) for each in layered],
            hidden=[str(each) for each in hidden],
            temporary=str(temporary),
            ports=[*ports, self.proxy],
            own_users=self.own_users,
            own_processes=self.own_processes,
        )
        file = private / f"{secrets.token_hex(8)}.json"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as writer:
            json.dump(asdict(given), writer)
        return [sys.executable, "-I", str(_PROGRAM), str(file)]


def _named() -> list[Path]:
    """Return the files and folders with credentials that variables of this process name."""
    values = (os.environ.get(name, "").split(os.pathsep) for name in _NAMING)
    return [Path(each).absolute() for value in values for each in value if each]


@dataclass
class _Probed:
    """The result of the probe, once it was made."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    done: bool = False
    found: Confinement | None = None


async def of(platform: Platform) -> Confinement | None:
    """Return the confinement of this machine, or None if it does not allow one."""
    probed = platform.part(_Probed)
    async with probed.lock:
        if not probed.done:
            proxy = urlsplit(platform.environment.get("HTTPS_PROXY", "")).port or 0
            users = (True,) if os.geteuid() else (True, False)
            for own_processes, own_users in itertools.product((True, False), users):
                made = Confinement(platform.state, proxy, own_users, own_processes)
                if await _works(made):
                    probed.found = made
                    break
            probed.done = True
    return probed.found


async def _works(made: Confinement) -> bool:
    if not made.proxy or not sys.platform.startswith("linux"):
        return False
    line = made.line(["true"], {"PATH": os.defpath}, cwd=Path("/"), folders=[], read=[])
    process = await asyncio.create_subprocess_exec(
        *line, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        return await asyncio.wait_for(process.wait(), _PROBE_SECONDS) == 0
    except TimeoutError:
        process.kill()
        await process.wait()
        return False

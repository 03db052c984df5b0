"""Run a program that reaches of this machine what it is given, and nothing else. This is a program, not a module.

The program keeps its user and loses every other right. It has a network with a loopback device only, in which the given
ports are relays to the same ports of this machine. All files are read-only, except for the given folders and `/tmp`,
which is a folder of its own, and so is `/dev`, with the devices of a container. What it changes in a layered folder, it
alone sees until it ends, where the machine can lay one folder over another. Hidden folders are empty, and hidden files
too, and so is each socket at which something listens. Other processes, confined or not, are out of reach: the program
has users, processes and shared memory of its own. It ends with all that it started, in whatever session. This needs
namespaces of Linux. Root may do without those for users, and everybody without those for processes, where the machine
does not have them. What no namespace divides, a filter of system calls refuses: the kernel's keyrings, and sockets such
as those to the hypervisor. It also refuses new namespaces, in which the program would have rights again: enough to
mount the control groups, by which it could stop or end all that runs in its own.

Usage: confined.py SPECIFICATION (a JSON file with the fields of `confinement.Specification`, which is deleted at once)
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import platform
import shutil
import signal
import socket
import stat
import struct
import sys
import threading
from pathlib import Path
from typing import Any

_NEW_MOUNTS, _NEW_USER, _NEW_PROCESSES = 0x00020000, 0x10000000, 0x20000000
_NEW_NAMESPACES = _NEW_MOUNTS | 0x40000000 | 0x08000000  # CLONE_NEWNET, CLONE_NEWIPC
_BIND, _RECURSIVE, _PRIVATE, _REMOUNT, _READ_ONLY = 0x1000, 0x4000, 1 << 18, 32, 1
_NO_SET_USER, _NO_DEVICES, _NO_PROGRAMS = 2, 4, 8
_MOUNT_SET_ATTRIBUTES, _AT_CURRENT, _AT_RECURSIVE = 442, -100, 0x8000
_END_WITH_PARENT, _DROP_RIGHT, _NO_NEW_RIGHTS, _RIGHTS = 1, 24, 38, 64
_RIGHTS_VERSION = 0x20080522
_SET_FLAGS, _UP = 0x8914, 0x41
_LISTENS = 0x10000  # __SO_ACCEPTCON
_TAKES_MESSAGES = socket.SOCK_DGRAM  # without listening, as the journal and the controls of some daemons do
_PIECE = 1 << 16
_TERMINALS = Path("/dev/pts")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_ACCELERATORS = ("nvidia*", "dri", "kfd", "dxg", "neuron*", "accel", "infiniband")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
_LAYERS = ".layers"
_SET_SECCOMP, _FILTER = 22, 2
# By machine: its number in a filter, those of the calls `socket` and `clone`, and those of add_key, request_key,
# keyctl, unshare, io_uring_setup, whose requests no filter sees, and clone3, whose flags no filter sees: libraries use
# clone then.
_CALLS = {
    "x86_64": (0xC000003E, 41, 56, (248, 249, 250, 272, 425, 435)),
    "aarch64": (0xC00000B7, 198, 220, (217, 218, 219, 97, 425, 435)),
}
_ANY_NAMESPACE = 0x7E020000  # the flags CLONE_NEW… of `clone`
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
_FIELDS = frozenset(
    ("command", "environment", "cwd", "folders", "read", "layered", "hidden", "temporary", "ports", "own_users",
     "own_processes")
)  # fmt: skip
_FAILED = 125
"""The exit code if the program cannot be started."""

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    texts = (source.encode(), target.encode(), kind.encode() if kind else None)
    _checked(_libc.mount(*texts, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def _bind(descriptor: int, target: Path) -> None:
    _mount(f"/proc/self/fd/{descriptor}", str(target), None, _BIND | _RECURSIVE)


def _set_read_only(target: Path) -> None:
    """Make all that is mounted at and below a path read-only."""
    attributes = struct.pack("=QQQQ", _READ_ONLY, 0, 0, 0)
    found = _libc.syscall(
        _MOUNT_SET_ATTRIBUTES, _AT_CURRENT, str(target).encode(), _AT_RECURSIVE, attributes, ctypes.c_size_t(32)
    )
    _checked(found, f"make {target} read-only")


def _enter_namespaces(*, own_users: bool, own_processes: bool) -> None:
    user, group = os.geteuid(), os.getegid()
    if own_users and (user or group):
        # Terminals belong to root: who is another user is root for them, and itself in a second namespace.
        _checked(_libc.unshare(_NEW_USER | _NEW_MOUNTS), "unshare")
        _map_users((0, user), (0, group))
        _mount("none", "/", None, _RECURSIVE | _PRIVATE)
        _own_terminals()
    wanted = _NEW_NAMESPACES | (_NEW_USER if own_users else 0) | (_NEW_PROCESSES if own_processes else 0)
    _checked(_libc.unshare(wanted), "unshare")
    if own_users:
        _map_users((user, 0), (group, 0))
    _mount("none", "/", None, _RECURSIVE | _PRIVATE)
    if not own_users or not (user or group):
        _own_terminals()
    _end_with_parent()


def _map_users(user: tuple[int, int], group: tuple[int, int]) -> None:
    """Give this process, in its new namespace, the first number instead of the second."""
    Path("/proc/self/setgroups").write_text("deny", "ascii")
    Path("/proc/self/uid_map").write_text(f"{user[0]} {user[1]} 1", "ascii")
    Path("/proc/self/gid_map").write_text(f"{group[0]} {group[1]} 1", "ascii")


def _own_terminals() -> None:
    """Replace the terminals of this machine: who opens one reads what its user types."""
    if not _TERMINALS.is_dir():
        return
    flags = _NO_SET_USER | _NO_PROGRAMS
    try:
        _mount("devpts", str(_TERMINALS), "devpts", flags, "newinstance,ptmxmode=0666,mode=0620")
    except OSError:  # rather none than those of this machine
        _mount("tmpfs", str(_TERMINALS), "tmpfs", flags, "mode=755,size=1m")


def _end_with_parent() -> None:
    _checked(_libc.prctl(_END_WITH_PARENT, signal.SIGKILL, 0, 0, 0), "prctl")


def _enter_processes(channel: socket.socket) -> None:
    """Return as a process in a namespace of processes, and in the others wait for its end.

    The first process of the namespace inherits those whose parents end, and all of them end with it.
    """
    if first := os.fork():
        os._exit(_code_of(first))
    _end_with_parent()
    _mount("proc", "/proc", "proc", _NO_SET_USER | _NO_DEVICES | _NO_PROGRAMS)
    if program := os.fork():
        channel.send(str(_code_of(program)).encode())
        os._exit(0)


def _code_of(program: int) -> int:
    """Wait for a process, and meanwhile for orphans. Return its exit code, or the negative number of its signal."""
    _pass_on_the_end(program)
    ended, status = 0, 0
    while ended != program:
        ended, status = os.wait()
    return os.waitstatus_to_exitcode(status)


def _pass_on_the_end(program: int) -> None:
    """Send a process the SIGTERM that this one gets. It may have ended: a signal to the group reached it already."""

    def pass_on(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(program, signal.SIGTERM)

    signal.signal(signal.SIGTERM, pass_on)


def _sockets() -> list[str]:
    """Return the paths at which something on this machine listens: who connects to systemd or a bus is not confined."""
    try:
        rows = Path("/proc/net/unix").read_text("utf-8", "surrogateescape").splitlines()[1:]
    except OSError:
        return []
    found = (row.split(maxsplit=7) for row in rows)
    listening = (
        each[7]
        for each in found
        if len(each) > 7 and (int(each[3], 16) & _LISTENS or int(each[4], 16) == _TAKES_MESSAGES)
    )
    return sorted({path for path in listening if path.startswith("/") and _is_visible(Path(path))})


def _is_visible(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _arrange_files(given: dict[str, Any], sockets: list[str]) -> None:
    kept = [(Path(each), True) for each in given["folders"]] + [(Path(each), False) for each in given["read"]]
    # Opened before anything is hidden: a descriptor still leads to what was there.
    opened = [(os.open(path, os.O_PATH), path, writable) for path, writable in kept]
    temporary = os.open(given["temporary"], os.O_PATH)
    _set_read_only(Path("/"))
    _bind(temporary, Path("/tmp"))  # noqa: S108
    _set_writable(Path("/tmp"))  # noqa: S108
    _arrange_devices()
    for hidden in map(Path, [*given["hidden"], *sockets]):
        if not _is_visible(hidden):
            continue
        if hidden.is_dir():
            _mount("tmpfs", str(hidden), "tmpfs", _NO_SET_USER | _NO_DEVICES, "mode=755,size=1m")
        else:
            _bind(os.open("/dev/null", os.O_PATH), hidden)
    # An outer folder first: it would cover an inner one.
    for descriptor, path, writable in sorted(opened, key=lambda each: len(each[1].parts)):
        with contextlib.suppress(OSError):  # it may exist, read-only
            path.mkdir(parents=True, exist_ok=True)
        _bind(descriptor, path)
        if writable:
            _set_writable(path)
    for descriptor in (temporary, *(each[0] for each in opened)):
        os.close(descriptor)
    for number, layered in enumerate(given["layered"]):
        with contextlib.suppress(OSError):  # it stays read-only where the machine cannot lay one over the other
            _layer(Path(layered), Path("/tmp", _LAYERS, str(number)))  # noqa: S108


def _arrange_devices() -> None:
    """Leave the devices that a container has. With those for disks, root reads and writes around every mount."""
    devices = Path("/dev")
    kept = [
        *(devices / each for each in _DEVICES), *(found for each in _ACCELERATORS for found in devices.glob(each)),
        *([_TERMINALS] if _TERMINALS.is_dir() else []),
    ]  # fmt: skip
    opened = [(os.open(path, os.O_PATH), path) for path in kept if path.exists()]
    _mount("tmpfs", str(devices), "tmpfs", _NO_SET_USER | _NO_PROGRAMS, "mode=755,size=1m")
    for descriptor, path in opened:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            path.mkdir()
        else:
            path.touch()
        _bind(descriptor, path)
        os.close(descriptor)
    for name, place in _LINKS.items():
        (devices / name).symlink_to(place)
    (devices / "shm").mkdir()
    _set_read_only(devices)
    _mount("tmpfs", "/dev/shm", "tmpfs", _NO_SET_USER | _NO_DEVICES, "mode=1777")  # noqa: S108


def _layer(target: Path, own: Path) -> None:
    """Let changes of a folder go to a folder of the program's own."""
    changes, work = own / "changes", own / "work"
    for each in (changes, work):
        each.mkdir(parents=True)
    below = os.open(target, os.O_PATH)  # a path may have what separates the options
    options = f"lowerdir=/proc/self/fd/{below},upperdir={changes},workdir={work},userxattr"
    try:
        _mount("overlay", str(target), "overlay", _NO_SET_USER | _NO_DEVICES, options)
    finally:
        os.close(below)


def _open_up(*parts: str) -> None:
    """Let the owner delete a folder that the kernel keeps from it. The program may have put a link in its place."""
    held: list[int] = []
    try:
        for part in parts:
            at = held[-1] if held else None
            held.append(os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at))
        Path(f"/proc/self/fd/{held[-1]}").chmod(0o700)
    except OSError:
        pass  # there is none
    finally:
        for descriptor in held:
            os.close(descriptor)


def _set_writable(target: Path) -> None:
    """Make what is mounted at a path writable."""
    attributes = struct.pack("=QQQQ", 0, _READ_ONLY, 0, 0)
    found = _libc.syscall(_MOUNT_SET_ATTRIBUTES, _AT_CURRENT, str(target).encode(), 0, attributes, ctypes.c_size_t(32))
    _checked(found, f"make {target} writable")


def _open_network(ports: list[int]) -> list[socket.socket]:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
    return [socket.create_server(("127.0.0.1", port)) for port in ports]


def _give_up_rights() -> None:
    for right in range(_RIGHTS):
        _libc.prctl(_DROP_RIGHT, right, 0, 0, 0)  # fails for numbers that are not rights
    # What some engines let a container inherit, a program of root would get in spite of that.
    header, rights = struct.pack("=Ii", _RIGHTS_VERSION, 0), ctypes.create_string_buffer(24)
    _checked(_libc.capget(header, rights), "capget")
    kept = struct.unpack("=6I", rights.raw)
    _checked(_libc.capset(header, struct.pack("=6I", *kept[:2], 0, *kept[3:5], 0)), "capset")
    _checked(_libc.prctl(_NO_NEW_RIGHTS, 1, 0, 0, 0), "prctl")


def _filter_calls() -> None:
    """Refuse the system calls that reach around the namespaces, if the kernel has filters for this machine."""
    if platform.machine() not in _CALLS:
        return
    machine, socket_call, clone_call, refused = _CALLS[platform.machine()]
    load, equal, at_least, has_any, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    yes, no, another = "yes", "no", "another"
    # Code, operand, and where to go if it is true or false. `load` takes the machine, the call and its argument.
    steps: list[tuple[int, int, str, str]] = [
        (load, 4, "", ""),
        (equal, machine, "", no),
        (load, 0, "", ""),
        (at_least, 0x40000000, no, ""),  # the calls of x32
        *((equal, call, no, "") for call in refused),
        (equal, clone_call, "", another),
        (load, 16, "", ""),
        (has_any, _ANY_NAMESPACE, no, yes),
        (equal, socket_call, "", yes),
        (load, 16, "", ""),
        *((equal, family, yes, "") for family in _FAMILIES),
        (answer, 0x50000 | errno.EAFNOSUPPORT, "", ""),
        (answer, 0x7FFF0000, "", ""),
        (answer, 0x50000 | errno.ENOSYS, "", ""),
    ]
    ends = {yes: len(steps) - 2, no: len(steps) - 1, another: steps.index((equal, socket_call, "", yes))}
    program = b"".join(
        struct.pack("=HBBI", code, *(ends[each] - place - 1 if each else 0 for each in (true, false)), operand)
        for place, (code, operand, true, false) in enumerate(steps)
    )
    held = ctypes.create_string_buffer(program, len(program))
    description = struct.pack("@HP", len(steps), ctypes.addressof(held))
    _libc.prctl(_SET_SECCOMP, _FILTER, description, 0, 0)


def _become(given: dict[str, Any], channel: socket.socket, sockets: list[str]) -> None:
    """Turn this process into the program."""
    try:
        _enter_namespaces(own_users=given["own_users"], own_processes=given["own_processes"])
        listeners = _open_network(given["ports"])
        socket.send_fds(channel, [b"-"], [each.fileno() for each in listeners])
        if given["own_processes"]:
            _enter_processes(channel)
        _arrange_files(given, sockets)
        _give_up_rights()
        _filter_calls()
        os.chdir(given["cwd"])
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python. The program would inherit that
            signal.signal(ignored, signal.SIG_DFL)
        os.execvpe(given["command"][0], given["command"], given["environment"])  # noqa: S606
    except OSError as error:
        print(f"amlite cannot start {given['command'][0]}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(_FAILED)


def _relay(listener: socket.socket, port: int) -> None:
    """Join every caller inside with the same port of this machine."""
    while True:
        near, _ = listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", port))
        except OSError:
            near.close()
            continue
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(_PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for each in (source, target):
            each.close()


def main() -> int:
    """Run the program and its relays until it ends, and end as it did."""
    file = Path(sys.argv[1])
    given = json.loads(file.read_text("utf-8"))
    file.unlink()
    if given.keys() != _FIELDS:
        print("amlite's files were updated while it runs\n  fix: amlite stop", file=sys.stderr, flush=True)
        return _FAILED
    here, there = socket.socketpair()
    sockets = _sockets()  # which a network namespace of its own does not list
    program = os.fork()
    if not program:
        here.close()
        _become(given, there, sockets)
    there.close()
    _pass_on_the_end(program)  # before a relay is a thread
    _, descriptors, _, _ = socket.recv_fds(here, 1, len(given["ports"]))
    for descriptor, port in zip(descriptors, given["ports"], strict=False):
        listener = socket.socket(fileno=descriptor)
        threading.Thread(target=_relay, args=(listener, port), daemon=True).start()
    code = _code_of(program)
    if given["own_processes"] and (told := here.recv(16)):
        code = int(told)
    for number in range(len(given["layered"])):
        _open_up(given["temporary"], _LAYERS, str(number), "work", "work")
    shutil.rmtree(given["temporary"], ignore_errors=True)
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main())

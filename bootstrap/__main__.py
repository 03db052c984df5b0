"""`python3 -m bootstrap`: set up this machine for the project. A second run changes nothing and is quick."""

import os
import shutil
import subprocess
import sys

OLDEST = (3, 11)


def _continue_with_newer_python() -> None:
    """Start again with a newer Python from PATH if this one is too old. Until then, import nothing newer."""
    if sys.version_info >= OLDEST:
        return
    for minor in (13, 12, 11, 14):
        newer = shutil.which("python3.%d" % minor)  # noqa: UP031 - must run on any Python 3
        # The shim of a version manager can exist although it starts nothing.
        if newer is not None and subprocess.call([newer, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            os.execv(newer, [newer, "-m", "bootstrap", *sys.argv[1:]])  # noqa: S606 - a known program
    sys.exit(
        "Set-up needs Python 3.11 or newer; %s is %d.%d.\n"  # noqa: UP031 - as above
        "  fix: install one, for example `apt-get install python3.11` or from python.org."
        % (sys.executable, sys.version_info[0], sys.version_info[1])
    )


if __name__ == "__main__":
    _continue_with_newer_python()
    from bootstrap.command import main

    sys.exit(main(sys.argv[1:]))

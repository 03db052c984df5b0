"""Checks that this machine's clock agrees with Azure's."""

from __future__ import annotations

from collections.abc import Iterator

from release.doctor.findings import Finding, ok, problem, warning
from release.doctor.subject import Subject

_TOLERATED_SECONDS = 300
_NOTICED_SECONDS = 60
_FIX = "set the clock, for example with: sudo timedatectl set-ntp true"


def check(subject: Subject) -> Iterator[Finding]:
    """Compare the clocks by the time of Azure's last answer."""
    skew = subject.arm.skew
    if skew is None:
        yield warning("not checked", "Azure's answer has no time.", _FIX)
        return
    seconds = abs(round(skew))
    what = f"this machine's clock is {seconds} s {'ahead of' if skew > 0 else 'behind'} Azure's"
    if seconds > _TOLERATED_SECONDS:
        yield problem(what, "Entra ID and storage refuse tokens and signatures that are 5 minutes off.", _FIX)
    elif seconds > _NOTICED_SECONDS:
        yield warning(what, "Entra ID and storage refuse tokens and signatures that are 5 minutes off.", _FIX)
    else:
        yield ok("this machine's clock agrees with Azure's")

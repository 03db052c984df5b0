"""Why an update ran: the message that Pulumi keeps with it, with a trailer for each fact, as in a Git commit."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TRAILER = re.compile(r"^(?P<key>[A-Z][A-Za-z-]+): (?P<value>\S.*)$")


@dataclass(frozen=True)
class Reason:
    """A reason for an update.

    Attributes:
        title: First line of the message.
        approved_by: Who approved it. None if nobody had to, or nobody said so.
        deployed_by: Who ran it.
        commit: Commit that the model was trained from.
        job: Training job of the model.
    """

    title: str
    approved_by: str | None = None
    deployed_by: str | None = None
    commit: str | None = None
    job: str | None = None

    @property
    def message(self) -> str:
        """The message for Pulumi's history."""
        values = {name: getattr(self, attribute) for name, attribute in _TRAILERS.items()}
        # A line break in a name would start another trailer.
        trailers = [f"{name}: {' '.join(value.split())}" for name, value in values.items() if value]
        return "\n".join([" ".join(self.title.split()), *(["", *trailers] if trailers else [])])

    @classmethod
    def read(cls, message: str) -> Reason:
        """Read a message. It may be any text, because other programs update the stack too."""
        title, *rest = message.splitlines() or [""]
        found = {each["key"]: each["value"] for line in rest if (each := _TRAILER.match(line))}
        return cls(title, **{attribute: found.get(name) for name, attribute in _TRAILERS.items()})


_TRAILERS = {
    "Commit": "commit",
    "Training-job": "job",
    "Deployed-by": "deployed_by",
    "Approved-by": "approved_by",
}

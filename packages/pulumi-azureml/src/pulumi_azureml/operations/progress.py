"""Progress of a rollout, stored in a tag on its endpoint so that an interrupted rollout resumes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pulumi_azureml.operations.ownership import PREFIX

TAG = f"{PREFIX}rollout"
_STAMP = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Progress:
    """A completed step of a rollout, written by the request that moves the traffic.

    Attributes:
        deployment: the new deployment.
        percent: its share of the traffic.
        since: the time it got that share, in whole seconds, UTC.
        before: the deployments that served before the rollout, and their shares.
    """

    deployment: str
    percent: int
    since: datetime
    before: Mapping[str, int]

    @classmethod
    def read(cls, tags: Mapping[str, str] | None) -> Progress | None:
        """Parse the tag. Return None if it is missing or invalid."""
        try:
            content = json.loads((tags or {}).get(TAG, ""))
            since = datetime.strptime(content["since"], _STAMP).replace(tzinfo=UTC)
            before = {str(name): int(share) for name, share in content["before"].items()}
            return cls(str(content["deployment"]), int(content["percent"]), since, before)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def text(self) -> str:
        """Return the tag's value: at most 256 characters for four deployments with names of maximum length."""
        content = {
            "deployment": self.deployment,
            "percent": self.percent,
            "since": self.since.strftime(_STAMP),
            "before": dict(self.before),
        }
        return json.dumps(content, separators=(",", ":"))

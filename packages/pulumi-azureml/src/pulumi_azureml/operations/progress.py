"""How far a rollout has come, kept in a tag on its endpoint, so that one that was cut off does not begin again."""

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
    """A step that a rollout has taken: it is written by the same request that moves the traffic.

    Attributes:
        deployment: the new deployment.
        percent: its share of the traffic.
        since: when it got that share, in whole seconds, UTC.
        before: the deployments that served before the rollout, and their shares.
    """

    deployment: str
    percent: int
    since: datetime
    before: Mapping[str, int]

    @classmethod
    def read(cls, tags: Mapping[str, str] | None) -> Progress | None:
        """Return what the tag says; None when there is none, or nothing that can be understood."""
        try:
            content = json.loads((tags or {}).get(TAG, ""))
            since = datetime.strptime(content["since"], _STAMP).replace(tzinfo=UTC)
            before = {str(name): int(share) for name, share in content["before"].items()}
            return cls(str(content["deployment"]), int(content["percent"]), since, before)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def text(self) -> str:
        """Return the tag's value, at most 256 characters with four deployments of the longest names."""
        content = {
            "deployment": self.deployment,
            "percent": self.percent,
            "since": self.since.strftime(_STAMP),
            "before": dict(self.before),
        }
        return json.dumps(content, separators=(",", ":"))

"""The settings of monitoring: the keys below `azureml-platform:monitoring`."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from infra.settings.group import Group, Number

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_RECEIVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


def _address(value: str) -> str:
    if not _ADDRESS.fullmatch(value):
        raise ValueError("must be an email address, such as ml-team@contoso.com")
    return value


def _webhook(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise ValueError("must be a URL that begins with https:// or http://")
    return value


class AlertsSettings(Group):
    """The alert rules. They exist only if the stack has a receiver. A rule costs about 0.10 USD a month."""

    failed_runs: int | None = Field(
        default=1, ge=1, description="Alert if at least this many runs fail within an hour. `null`: no alert."
    )
    drift: bool = Field(default=True, description="Alert if a monitor or the drift job finds drift.")
    endpoint_errors: Number | None = Field(
        default=1.0,
        gt=0,
        description="Alert if an online endpoint answers more requests a minute with a server error (5xx) than this, "
        "on average over five minutes. `null`: no alert.",
    )
    endpoint_latency: Number | None = Field(
        default=None,
        gt=0,
        description="Alert if 95 % of the requests of an online endpoint take longer than this, in milliseconds over "
        "five minutes. Default: no alert.",
    )
    endpoint_cpu: Number | None = Field(
        default=90.0,
        gt=0,
        lt=100,
        description="Alert if a managed online endpoint uses more of the CPU of its instances than this, in percent on "
        "average over five minutes. `null`: no alert.",
    )
    endpoint_memory: Number | None = Field(
        default=90.0,
        gt=0,
        lt=100,
        description="Alert if a managed online endpoint uses more of the memory of its instances than this, in percent "
        "on average over five minutes. `null`: no alert.",
    )


class RetrainSettings(Group):
    """Retraining after drift: a Logic App starts the pipeline of a schedule."""

    schedule: str = Field(
        min_length=1,
        description="Name of the schedule whose pipeline is started. The schedule may be paused.",
        examples=["flight-delay-daily"],
    )
    cooldown_days: int = Field(
        default=7,
        ge=1,
        le=365,
        description="Start at most one retraining in each period of this many days. Periods begin at midnight UTC. "
        "Those of 7 days begin on Mondays.",
    )
    poll_minutes: int = Field(
        default=15, ge=1, le=1440, description="Minutes between two looks at the queue of events. Each look is billed."
    )


class MonitoringSettings(Group):
    """Alerts and retraining. Without receivers and `retrain`, the stack has neither."""

    emails: list[Annotated[str, AfterValidator(_address)]] = Field(
        default_factory=list,
        max_length=20,
        description="Email addresses that get the alerts.",
        examples=["ml-team@contoso.com"],
    )
    webhooks: dict[str, Annotated[str, AfterValidator(_webhook)]] = Field(
        default_factory=dict,
        max_length=10,
        description="Webhooks that get the alerts in the common alert schema: name → URL. Set a URL that contains a "
        "key with `pulumi config set --secret --path`.",
    )
    alerts: AlertsSettings = Field(default_factory=AlertsSettings, description="The alert rules.")
    retrain: RetrainSettings | None = Field(default=None, description="Retraining after drift.")

    @property
    def has_receivers(self) -> bool:
        """Whether anybody gets the alerts."""
        return bool(self.emails or self.webhooks)

    @property
    def has_events(self) -> bool:
        """Whether anything reacts to drift."""
        return self.retrain is not None or (self.has_receivers and self.alerts.drift)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in self.webhooks:
            if not _RECEIVER.fullmatch(name):
                raise ValueError(f"webhooks.{name} must have a name of letters, digits, hyphens and underscores")
        if len(set(self.emails)) < len(self.emails):
            raise ValueError("emails has an address twice")
        return self

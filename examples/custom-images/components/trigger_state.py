"""Whether a trigger of a data factory is started, as a Pulumi resource.

azure-native declares triggers, and Azure creates each of them stopped. Starting one is a request of its own, and Azure
refuses to change or delete a trigger that is started (`TriggerEnabledCannotUpdate`). So there are two parts:

- `TriggerState` starts a trigger after it was created or changed, and stops it before it is deleted.
- `stopped_before_update()` returns the hooks with which azure-native's trigger is stopped before it changes.

States keep the class of the provider by its import path: `components.trigger_state.TriggerStateProvider`.
"""

from __future__ import annotations

from typing import Any

import pulumi
from azure.core.exceptions import ResourceNotFoundError
from pulumi import dynamic

from pulumi_azureml.operations import arm

VERSION = "2018-06-01"
STARTED = "Started"


class TriggerStateProvider(dynamic.ResourceProvider):
    """Starts and stops a trigger. The id of the resource is that of the trigger."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Compare the state, and the definition: a trigger that changed was stopped for it."""
        moved = ["trigger_id"] if olds.get("trigger_id") != news.get("trigger_id") else []
        changed = any(olds.get(key) != news.get(key) for key in ("started", "definition"))
        return dynamic.DiffResult(changes=bool(moved) or changed, replaces=moved, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Start the trigger, or stop it."""
        switch(props["trigger_id"], on=props["started"])
        return dynamic.CreateResult(props["trigger_id"], props)

    def update(self, id_: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Start the trigger again, or stop it."""
        switch(id_, on=news["started"])
        return dynamic.UpdateResult(news)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Read the state, so that a preview after a refresh shows a trigger that somebody stopped."""
        try:
            found = arm.send("GET", id_, VERSION)
        except ResourceNotFoundError:
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, {**props, "started": found["properties"]["runtimeState"] == STARTED})

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        """Stop the trigger, if it is there."""
        switch(id_, on=False)


class TriggerState(dynamic.Resource):
    """The state of a trigger."""

    def __init__(
        self,
        resource_name: str,
        *,
        trigger_id: pulumi.Input[str],
        definition: pulumi.Input[Any],
        started: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the state of the trigger with an id. `definition` is what the trigger is declared with."""
        props = {"trigger_id": trigger_id, "definition": definition, "started": started}
        super().__init__(TriggerStateProvider(), resource_name, props, opts)


def switch(trigger_id: str, *, on: bool) -> None:
    """Start or stop a trigger. To stop one that does not exist does nothing."""
    try:
        arm.finish("POST", f"{trigger_id}/{'start' if on else 'stop'}", VERSION)
    except ResourceNotFoundError:
        if on:
            raise


def stopped_before_update(name: str) -> pulumi.ResourceHookBinding:
    """Return hooks that stop a trigger before azure-native changes it."""

    def stop(args: pulumi.ResourceHookArgs) -> None:
        switch(args.id, on=False)

    return pulumi.ResourceHookBinding(before_update=[pulumi.ResourceHook(f"{name}-stops", stop)])

"""A stack, controlled through Pulumi's Automation API."""

from __future__ import annotations

import fcntl
import functools
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pulumi import automation
from pydantic import ValidationError

from infra import NAMESPACE, REFUSE_RENAMES, ROLL_OUT_AT_ONCE
from infra.outputs import OUTPUTS_VERSION, ModelOutput, StackOutputs, parse
from release import sign_in, stack_file, state_providers, storage, whole_file
from release.engine import Changes, Engine, OnEvent, essence
from release.errors import ReleaseError
from release.project import program_folder, project_folder

# The Automation API asks the CLI for an update's outputs, twice, and for its entry in the history. This takes seconds,
# and this class uses the events and `deployed` instead.
_NOT_ASKED = automation.UpdateSummary("update", datetime.fromtimestamp(0, UTC), "", {}, {}, "")
# A program of others may be in a state that was read earlier than this.
_FRESH_SECONDS = 5.0


class PulumiStack:
    """A stack of this project. Every method runs the Pulumi engine, and raises ReleaseError if it fails."""

    def __init__(self, name: str, *, create: bool = False, asks_azure: bool = True) -> None:
        """Select the stack. Create it in the current backend if `create` is true.

        Before that, asks Azure for the stack's subscription, unless the caller needs only the stack's file.

        Raises:
            ReleaseError: The stack has no configuration file or one that is not YAML, you are not signed in to its
                subscription or to Pulumi, or the stack does not exist.
        """
        self.name = name
        self._folder = project_folder()
        self.file = stack_file.find(self._folder, name)
        stack_file.read(self.file)
        hint = sign_in.check(name, self.file) if asks_azure else ""
        open_stack = automation.create_or_select_stack if create else automation.select_stack
        try:
            self._stack = open_stack(name, work_dir=str(self._folder))
            vars(self._stack).update(outputs=dict, info=lambda _show_secrets: _NOT_ASKED)
        except automation.StackNotFoundError as error:
            fix = hint or f"release up --stack {name}, or select the backend that has the stack with `pulumi login`"
            raise ReleaseError(f"Pulumi's backend has no stack '{name}'", fix=fix) from error
        except automation.CommandError as error:
            if (full := storage.problem(name, str(error))) is not None:
                raise full from error
            message = essence(error)
            raise ReleaseError(
                f"cannot open stack '{name}': {message}", fix=hint or _login_fix(name, message)
            ) from error
        self._engine = Engine(name, self._stack)
        self._read: Mapping[str, Any] | None = None
        self._read_at = 0.0

    def preview(self, on_event: OnEvent, *, refresh: bool = False) -> Changes:
        """Preview an update. With `refresh`, compare with what is in Azure. The state does not change.

        Changed names are a warning.
        """
        self._ask_the_program(refuse_renames=False)
        return self._run(functools.partial(self._stack.preview, refresh=refresh), on_event)

    def up(
        self,
        on_event: OnEvent,
        *,
        replace_renamed: bool = False,
        at_once: bool = False,
        why: str | None = None,
        keep_going: bool = False,
    ) -> Changes:
        """Update the stack.

        Args:
            on_event: Takes the engine's events.
            replace_renamed: Replace resources whose names have changed.
            at_once: Give new deployments all the traffic in one step, after their smoke tests.
            why: Message of the update in Pulumi's history. Default: the subject of the last commit.
            keep_going: After an error, continue with the resources that do not depend on the failed one.

        Raises:
            RenamedError: The update would replace resources whose names have changed, and `replace_renamed` is false.
            ExistingError: Resources could not be created, because they exist in Azure.
        """
        self._ask_the_program(refuse_renames=not replace_renamed, roll_out_at_once=at_once)
        command = functools.partial(self._stack.up, message=why)
        return self._run(functools.partial(command, continue_on_error=True) if keep_going else command, on_event)

    def _run(self, command: Callable[..., Any], on_event: OnEvent) -> Changes:
        """Run the engine, which loads the providers that the state names.

        Raises:
            ReleaseError: One of them is not of this checkout.
        """
        written = stack_file.read(self.file).get("config") or {}
        foreign = state_providers.foreign(self.state(), program_folder(), written)
        if foreign:
            names = ", ".join(urn.rpartition("::")[2] for urn in foreign)
            raise ReleaseError(
                f"the state of stack '{self.name}' has a provider for {names} that is not of this checkout, and "
                "Pulumi would run it. Nothing was changed",
                fix="use the commit that deployed the stack, with its packages, and define your own dynamic "
                "providers in a module, not in __main__.py. If nobody deployed such a provider, find out who "
                "changed the state, and import an earlier one with `pulumi stack import`",
            )
        self._read = None
        return self._engine.run(command, on_event)

    def history(self) -> list[automation.UpdateSummary]:
        """Return the updates of the stack that Pulumi recorded, the newest first, without secrets."""
        with self._one_error():
            return self._stack.history(show_secrets=False)

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Keep other releases from this stack file until the end.

        Raises:
            ReleaseError: Another release uses it. Pulumi's own lock only begins with the update.
        """
        with self.file.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ReleaseError(
                    f"another release of stack '{self.name}' is running in this folder. Nothing was changed",
                    fix="wait until it has ended, and run this command again",
                ) from error
            yield

    def state(self) -> Mapping[str, Any]:
        """Return the stack's state, as the engine keeps it, at most a few seconds old: to read it takes a second."""
        if self._read is None or time.monotonic() - self._read_at > _FRESH_SECONDS:
            with self._one_error():
                self._read = self._stack.export_stack().deployment or {}
            self._read_at = time.monotonic()
        return self._read

    @contextmanager
    def edited_state(self, on_event: OnEvent) -> Iterator[dict[str, Any]]:
        """Take the state out of the backend, and put it back with the changes that are made to it."""
        self._read = None
        with self._one_error():
            exported = self._stack.export_stack()
            state: dict[str, Any] = dict(exported.deployment or {})
            yield state
            edited = automation.Deployment(version=exported.version, deployment=state)
            self._engine.unless_locked(lambda: self._stack.import_stack(edited), on_event)

    def resources(self) -> list[Mapping[str, Any]]:
        """Return the resources in the stack's state, as the engine keeps them."""
        return self.state().get("resources") or []

    def dependents(self, urn: str) -> list[str]:
        """Return the URNs of all resources that depend on one, directly or through others."""
        found, count = {urn}, 0
        resources = self.resources()
        while len(found) > count:
            count = len(found)
            found |= {each["urn"] for each in resources if not found.isdisjoint(_needs(each))}
        return sorted(found - {urn})

    def recovered(self) -> bool:
        """Whether the last update recovered the key vault. Until the next update, the vault has its old settings."""
        vaults = [each for each in self.resources() if each["type"] == "azure-native:keyvault:Vault"]
        return any(each.get("inputs", {}).get("properties", {}).get("createMode") == "recover" for each in vaults)

    def subscription(self) -> str:
        """Return the subscription in the stack's configuration."""
        return self._config("azure-native:subscriptionId")

    def tags(self) -> dict[str, str]:
        """Return the tags that identify the stack's resources."""
        naming = json.loads(self._config(f"{NAMESPACE}:naming"))
        parts = {part: str(naming.get(part)) for part in ("namespace", "workspace")}
        return {"project": NAMESPACE, **parts, "stack": str(naming.get("stack") or self.name)}

    def refresh(self, urns: list[str], on_event: OnEvent) -> Changes:
        """Read resources from Azure into the state."""
        return self._run(functools.partial(self._stack.refresh, target=urns), on_event)

    def destroy(self, on_event: OnEvent, urns: list[str] | None = None) -> Changes:
        """Delete all resources of the stack, or those with some URNs."""
        return self._run(functools.partial(self._stack.destroy, target=urns), on_event)

    def outputs(self) -> StackOutputs | None:
        """Return the stack's outputs, or None if the stack was never completely deployed."""
        try:
            return parse(self._outputs())
        except ValidationError:
            return None

    def output(self, name: str) -> Any:
        """Return an output that a program exports besides those of the contract.

        Raises:
            ReleaseError: The stack does not have it.
        """
        values = self._outputs()
        if name not in values:
            raise ReleaseError(
                f"stack '{self.name}' has no output '{name}'", fix=f"deploy it: release up --stack {self.name}"
            )
        return values[name]

    def _outputs(self) -> dict[str, Any]:
        command = ["pulumi", "stack", "output", "--json", "--stack", self.name]
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ReleaseError(f"cannot read the outputs of stack '{self.name}': {done.stderr.strip()}")
        values: dict[str, Any] = json.loads(done.stdout)
        return values

    def deployed(self) -> StackOutputs:
        """Return the outputs of a deployed stack.

        Raises:
            ReleaseError: The stack was never completely deployed, or its outputs are those of another version of this
                contract.
        """
        values = self._outputs()
        try:
            return parse(values)
        except ValidationError as error:
            version = values.get("outputs_version")
            if version is not None and version != OUTPUTS_VERSION:
                raise ReleaseError(
                    f"stack '{self.name}' has outputs of version {version}, and this release reads version "
                    f"{OUTPUTS_VERSION}",
                    fix="use the release of the commit that deployed the stack, or deploy the stack from this commit",
                ) from error
            what = f": {_wrong(error)}" if version is not None else ""
            raise ReleaseError(
                f"stack '{self.name}' is not deployed, or only in part{what}", fix=f"release up --stack {self.name}"
            ) from error

    def config(self) -> dict[str, Any]:
        """Return the values of the stack file by full key, such as `azureml-platform:sharing`. Groups are maps."""
        with self._one_error():
            values = self._stack.get_all_config()
        return {key: _decoded(each.value) for key, each in values.items()}

    def promote(self, endpoint: str, model: ModelOutput) -> None:
        """Write the model version that an endpoint serves to the stack's configuration, in place of another.

        Raises:
            ReleaseError: Pulumi cannot write the stack file, which is as before.
        """
        key = f'{NAMESPACE}:models["{endpoint}"]'
        parts = model.model_dump(exclude_none=True)
        models = self.config().get(f"{NAMESPACE}:models")
        before = models.get(endpoint) if isinstance(models, dict) else None
        content = self.file.read_bytes()
        try:
            with self._one_error():
                if before is not None and not (isinstance(before, dict) and before.keys() <= parts.keys()):
                    self._stack.remove_config(key, path=True)
                self._stack.set_all_config(
                    {f"{key}.{part}": automation.ConfigValue(value) for part, value in parts.items()}, path=True
                )
        except BaseException:
            # Pulumi cuts the file if the disk is full. Between the two commands, the endpoint has no model.
            whole_file.restore(self.file, content)
            raise

    def _config(self, key: str) -> str:
        """Return a value of the configuration, or raise ReleaseError if there is none."""
        with self._one_error():
            values = self._stack.get_all_config()
        if key not in values:
            raise ReleaseError(f"{key} is missing in Pulumi.{self.name}.yaml")
        return str(values[key].value)

    def _ask_the_program(self, *, refuse_renames: bool, roll_out_at_once: bool = False) -> None:
        workspace = self._stack.workspace
        asked = {REFUSE_RENAMES: refuse_renames, ROLL_OUT_AT_ONCE: roll_out_at_once}
        workspace.env_vars = {**workspace.env_vars, **{name: "true" if yes else "" for name, yes in asked.items()}}

    @contextmanager
    def _one_error(self) -> Iterator[None]:
        """Turn a failed command into one error without a traceback."""
        try:
            yield
        except automation.CommandError as error:
            full = storage.problem(self.name, str(error))
            raise full or ReleaseError(f"stack '{self.name}': {essence(error)}") from error


def _needs(resource: Mapping[str, Any]) -> set[str]:
    """Return the URNs that a resource in the state depends on."""
    by_property = resource.get("propertyDependencies") or {}
    return {
        *(resource.get("dependencies") or ()),
        *(urn for urns in by_property.values() for urn in urns or ()),
        *filter(None, [resource.get("parent"), resource.get("deletedWith")]),
    }


def _wrong(error: ValidationError) -> str:
    """Return the outputs that are missing or wrong."""
    found = {".".join(map(str, each["loc"])): each["type"] for each in error.errors(include_url=False)}
    return ", ".join(f"output {name} is {'missing' if kind == 'missing' else 'wrong'}" for name, kind in found.items())


def _decoded(value: str) -> Any:
    """Decode a value. Groups are JSON, and `7` or `true` are text."""
    try:
        decoded = json.loads(value)
    except ValueError:
        return value
    return decoded if isinstance(decoded, dict | list) else value


def _login_fix(stack: str, message: str) -> str:
    """Return the command that signs in to Pulumi, or "" if the message is about something else."""
    if "passphrase" in message:
        return f"set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the passphrase of stack {stack}"
    if "PULUMI_ACCESS_TOKEN" in message or "log in" in message or "login" in message:
        return "pulumi login <backend>, such as `pulumi login azblob://<container>`"
    return ""

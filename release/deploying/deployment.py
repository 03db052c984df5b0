"""Roll model versions out on a stack. If that fails, the stack file and the traffic are restored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rich.console import Console

from infra.outputs import ModelOutput
from release import whole_file
from release.deploying.smoke_test import smoke_test
from release.errors import ReleaseError
from release.history.reason import Reason
from release.stack import PulumiStack
from release.updating.update import update


@dataclass(frozen=True)
class Deployment:
    """Model versions to roll out.

    Attributes:
        target: The stack.
        models: The versions, by endpoint.
        reason: What Pulumi's history keeps.
        at_once: Give a new deployment all the traffic in one step, after its smoke test.
        seconds: Time that the smoke test of an endpoint may take.
        console: Gets the progress.
    """

    target: PulumiStack
    models: Mapping[str, ModelOutput]
    reason: Reason
    at_once: bool
    seconds: float
    console: Console

    def run(self) -> None:
        """Write the versions to the stack file, update the stack, and test the endpoints.

        Raises:
            ReleaseError: The rollout or a smoke test failed. The stack file and the traffic are restored.
        """
        file = self.target.file
        before = file.read_bytes()
        try:
            for endpoint, model in self.models.items():
                self.target.promote(endpoint, model)
            update(self.target, self.console, at_once=self.at_once, why=self.reason.message)
        except ReleaseError as error:
            whole_file.restore(file, before)
            raise ReleaseError(f"{error.message}\n{file.name} was restored.") from error
        except BaseException:
            whole_file.restore(file, before)
            raise
        try:
            outputs = self.target.deployed()
            for endpoint in self.models:
                smoke_test(outputs, endpoint, self.seconds, self._say)
        except ReleaseError as error:
            whole_file.restore(file, before)
            self._say(f"{error.message.splitlines()[0]}; rolling back")
            self._return(error)
            raise ReleaseError(f"{error.message}\n{file.name} and the traffic were restored.") from error
        except BaseException:
            whole_file.restore(file, before)
            raise

    def _return(self, why: ReleaseError) -> None:
        """Bring the stack back to what the stack file says.

        Raises:
            ReleaseError: That failed too.
        """
        title = f"Return after a failed smoke test: {self.reason.title}"
        try:
            update(self.target, self.console, at_once=True, why=replace(self.reason, title=title).message)
        except ReleaseError as error:
            raise ReleaseError(
                f"{why.message}\nThe rollback to the previous version also failed: {error.message}",
                fix=f"release up --no-train --stack {self.target.name}",
            ) from error

    def _say(self, line: str) -> None:
        self.console.print(f"  {line}", highlight=False, soft_wrap=True)

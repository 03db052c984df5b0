"""The command of most components: `python -m tasks TASK`. The smoke test is a Bash script."""

from __future__ import annotations

import argparse
import sys
from types import ModuleType

from azure.ai.ml.exceptions import MlException
from azure.core.exceptions import AzureError

from tasks import (
    deploy_model,
    identity,
    prepare_data,
    register_model,
    shift_traffic,
    submit_automl,
    wait_for_automl,
)
from tasks.errors import TaskError, reason

TASKS: dict[str, ModuleType] = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        prepare_data,
        submit_automl,
        wait_for_automl,
        register_model,
        deploy_model,
        shift_traffic,
    )
}


def main(words: list[str]) -> None:
    """Run one task. Exit with one line that says why if it fails."""
    parser = argparse.ArgumentParser(prog="tasks")
    parser.add_argument("--client-id", default=identity.COMPUTE, help="managed identity to sign in as")
    commands = parser.add_subparsers(dest="task", required=True)
    for name, module in TASKS.items():
        module.arguments(commands.add_parser(name, help=module.__doc__))
    given = parser.parse_args(words)
    client_id = given.client_id
    try:
        client_id = identity.client_id(client_id)
        TASKS[given.task].run(identity.workspace(client_id), given)
    except (TaskError, AzureError, MlException, OSError) as error:
        sys.exit(f"{given.task}: {reason(error, client_id)}")


if __name__ == "__main__":
    main(sys.argv[1:])

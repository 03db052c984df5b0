from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conformance.conftest import GROUP_ID, LocalAzure, Workspace


def test_Workspace_Get_DescribesWhatItIsMadeOf(workspace: Workspace) -> None:  # noqa: N802
    found = workspace.client().workspaces.get(workspace.name)
    assert found.storage_account.endswith(workspace.account)

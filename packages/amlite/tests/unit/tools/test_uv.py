from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from amlite.tools import uv
from amlite.tools.base import Task, ToolError


def test_it_came_with_amlite() -> None:
    found = uv.TOOL.find()
    assert found is not None
    assert os.access(found, os.X_OK)
    assert uv.TOOL.version(found).count(".") == 2


def test_uv_knows_what_pip_knows() -> None:
    pip = {"PIP_INDEX_URL": "https://mirror/simple", "PIP_CERT": "/ca.pem"}
    assert uv.environment(pip)["UV_DEFAULT_INDEX"] == "https://mirror/simple"
    assert uv.environment(pip)["SSL_CERT_FILE"] == "/ca.pem"
    own = {**pip, "UV_DEFAULT_INDEX": "https://other/simple", "SSL_CERT_FILE": "/other.pem"}
    assert uv.environment(own)["UV_DEFAULT_INDEX"] == "https://other/simple"
    assert uv.environment(own)["SSL_CERT_FILE"] == "/other.pem"
    assert "VIRTUAL_ENV" not in uv.environment({"VIRTUAL_ENV": "/other", "PYTHONPATH": "/x"})


async def test_a_failing_installation_leaves_nothing(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    program = tmp_path / "uv"
    program.write_text('#!/bin/sh\ntouch "$6/half"\necho error: no such host\nexit 2\n')
    program.chmod(0o755)
    monkeypatch.setattr(uv, "TOOL", replace(uv.TOOL, find=lambda: str(program)))
    with pytest.raises(ToolError, match="error: no such host"):
        await uv.install_wheel(task, "node")
    assert not list(uv.wheel_folder("node").parent.glob("*"))
    assert said == ["downloading node", "error: no such host"]

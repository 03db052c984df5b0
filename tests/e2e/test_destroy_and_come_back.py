"""A stack is destroyed and comes back under the same names, by the real engine and without a restart of amlite."""

from __future__ import annotations

from collections.abc import Callable

from tests.checkout import Checkout

POSTFIX = "pulumi config set --path azureml-platform:naming.postfix NEW -s local"


def local(clone: Checkout, command: str, expect: int = 0) -> str:
    return clone.run(f'PATH="$PWD/.venv/bin:$PATH" .venv/bin/amlite run -- {command}', expect)


def configure(clone: Checkout, key: str, value: str) -> None:
    local(clone, f"pulumi config set -s local --path azureml-platform:{key} {value}")


def names_asked(clone: Checkout) -> int:
    return (clone.state / "logs" / "requests.jsonl").read_text("utf-8").count("/checkNameAvailability")


def update(clone: Checkout) -> str:
    return local(clone, "pulumi up --yes --skip-preview --non-interactive -s local")


def test_a_stack_is_destroyed_and_comes_back_under_the_same_names(new_clone: Callable[[], Checkout]) -> None:
    clone = new_clone()
    clone.run("make setup")
    local(clone, ".venv/bin/python -m bootstrap.local_stack fit local")
    configure(clone, "image.build", "false")
    configure(clone, "keyVault.purgeProtection", "true")
    update(clone)

    # Azure keeps both names. The preview says so before anything is made.
    printed = local(clone, "release down --yes -s local")
    assert "workspace mlw-mlops-flights-local-001: for 14 days from its deletion" in printed
    assert "key vault kvmlopsflightslocal001: until " in printed
    refused = local(clone, "pulumi preview --non-interactive -s local", expect=1)
    assert "workspace mlw-mlops-flights-local-001 is soft-deleted" in refused
    assert f"fix: release down --purge -s local, or {POSTFIX}" in refused

    # The workspace can be purged, the vault cannot: it comes back, and the update after that applies the settings.
    purged = local(clone, "release down --purge --yes -s local")
    assert "purging workspace mlw-mlops-flights-local-001" in purged
    assert "key vault kvmlopsflightslocal001: kept by purge protection until " in purged
    assert "The update recovers it with its secrets" in update(clone)
    assert "1 updated" in update(clone)

    # A run that creates nothing asks Azure about no name.
    asked = names_asked(clone)
    local(clone, "pulumi preview --expect-no-changes --non-interactive -s local")
    assert names_asked(clone) == asked > 0

    # Azure isolates no workspace that has compute, and the preview says so.
    isolated = '--config azureml-platform:network=\'{"isolation": "AllowInternetOutbound"}\''
    refused = local(clone, f"pulumi preview --non-interactive -s local {isolated}", expect=1)
    assert "This workspace has: compute cpu-cluster, online endpoint flight-delay-local-" in refused

    # A purge deletes a workspace that is there, after all that needs it.
    assert "deleting workspace mlw-mlops-flights-local-001 for good" in clone.run("make down")
    assert clone.leftovers() == []

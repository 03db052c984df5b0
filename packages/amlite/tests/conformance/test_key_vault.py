"""The secrets of vaults, as Key Vault's clients use them. Sources: Microsoft's secrets.json and the az client."""

from __future__ import annotations

from typing import Any

import pytest
from requests import Response

from amlite import TENANT_ID
from amlite.testing import LocalAzure
from amlite_fixtures.azure import GROUP_ID

VAULTS = f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults"


def make(amlite: LocalAzure, name: str, **properties: Any) -> str:
    """Create a vault and return the address of its secrets."""
    wanted = {"tenantId": TENANT_ID, "sku": {"family": "A", "name": "standard"}, **properties}
    made = amlite.put(f"{VAULTS}/{name}", {"location": "westeurope", "properties": wanted}, "2023-07-01")
    return str(made["properties"]["vaultUri"])


def object_id(credential: Any) -> str:
    """Return the object id in a credential's tokens."""
    import jwt

    token = credential.get_token("https://vault.azure.net/.default").token
    return str(jwt.decode(token, options={"verify_signature": False})["oid"])


def ask(amlite: LocalAzure, method: str, address: str, body: Any = None, credential: Any = None) -> Response:
    """Send one request with a token for Key Vault."""
    token = (credential or amlite.credential).get_token("https://vault.azure.net/.default").token
    headers = {"Authorization": f"Bearer {token}"}
    return amlite.session.request(method, f"{address}?api-version=7.4", json=body, headers=headers)


def test_a_secret_has_versions_and_is_deleted_softly(amlite: LocalAzure) -> None:
    base = make(amlite, "kv-secrets", enableRbacAuthorization=True)
    reader = amlite.application(("Key Vault Secrets User", GROUP_ID))
    officer = amlite.application(("Key Vault Secrets Officer", f"{VAULTS}/kv-secrets"))
    secret = f"{base}secrets/key"
    first, second = (
        ask(amlite, "PUT", secret, {"value": value, "tags": {"n": value}}, officer).json() for value in ("1", "2")
    )
    assert (first["value"], first["attributes"]["recoveryLevel"]) == ("1", "Recoverable+Purgeable")
    assert ask(amlite, "GET", secret, credential=reader).json() == second
    assert ask(amlite, "GET", first["id"], credential=reader).json()["value"] == "1"
    assert [each["id"] for each in ask(amlite, "GET", f"{base}secrets", credential=reader).json()["value"]] == [secret]
    versions = ask(amlite, "GET", f"{secret}/versions", credential=reader).json()["value"]
    assert [each["id"] for each in versions] == [first["id"], second["id"]]
    assert all("value" not in each for each in versions)
    ask(amlite, "PATCH", second["id"], {"attributes": {"enabled": False}}, officer)
    assert ask(amlite, "GET", secret, credential=reader).status_code == 403

    refused = ask(amlite, "DELETE", secret, credential=reader)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "Forbidden")
    assert "Action: 'Microsoft.KeyVault/vaults/secrets/delete'" in refused.json()["error"]["message"]
    assert ask(amlite, "DELETE", secret, credential=officer).json()["recoveryId"] == f"{base}deletedsecrets/key"
    gone = ask(amlite, "GET", secret, credential=reader)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "SecretNotFound")
    assert ask(amlite, "PUT", secret, {"value": "3"}, officer).status_code == 409
    assert ask(amlite, "POST", f"{base}deletedsecrets/key/recover", {}, officer).json()["id"] == second["id"]
    ask(amlite, "DELETE", secret, credential=officer)
    assert ask(amlite, "DELETE", f"{base}deletedsecrets/key", credential=officer).status_code == 204
    assert ask(amlite, "GET", f"{base}deletedsecrets", credential=officer).json()["value"] == []


def test_a_vault_without_roles_has_access_policies(amlite: LocalAzure) -> None:
    base = make(amlite, "kv-policies")
    credential = amlite.application()
    refused = ask(amlite, "GET", f"{base}secrets/key", credential=credential)
    assert "does not have secrets get permission on key vault 'kv-policies;location=westeurope'" in refused.text
    policy = {"tenantId": TENANT_ID, "objectId": object_id(credential), "permissions": {"secrets": ["get", "set"]}}
    make(amlite, "kv-policies", accessPolicies=[policy])
    assert ask(amlite, "PUT", f"{base}secrets/key", {"value": "1"}, credential).status_code == 200
    assert ask(amlite, "GET", f"{base}secrets/key", credential=credential).json()["value"] == "1"
    assert ask(amlite, "GET", f"{base}secrets", credential=credential).status_code == 403


def test_a_request_without_a_token_is_told_where_to_get_one(amlite: LocalAzure) -> None:
    base = make(amlite, "kv-challenge", enableRbacAuthorization=True)
    answer = amlite.session.get(f"{base}secrets?api-version=7.4")
    assert answer.status_code == 401
    wanted = f'Bearer authorization="https://login.microsoftonline.com/{TENANT_ID}", resource="https://vault.azure.net"'
    assert answer.headers["WWW-Authenticate"] == wanted
    assert ask(amlite, "GET", f"{base}keys").status_code == 501


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'kv-found'", 1),
        (f"resourceGroup eq '{GROUP_ID.rpartition('/')[2]}' and name eq 'kv-found'", 1),
        ("resourceGroup eq 'other'", 0),
    ],
)
def test_resources_are_found_as_the_az_client_looks_for_them(amlite: LocalAzure, condition: str, count: int) -> None:
    """`az keyvault show -n` and `az resource list -g` send these filters."""
    make(amlite, "kv-found")
    subscription = GROUP_ID.partition("/resourceGroups")[0]
    found = amlite.arm("GET", f"{subscription}/resources", version="2021-04-01", query=f"&$filter={condition}")
    assert len(found.json()["value"]) == count


def test_a_caller_sees_the_resources_that_its_roles_let_it_read(amlite: LocalAzure) -> None:
    """ARM lists a subscription's resources to every caller, and leaves out those that it may not read."""
    make(amlite, "kv-seen")
    reader = amlite.application(("Reader", f"{VAULTS}/kv-seen"))
    subscription = GROUP_ID.partition("/resourceGroups")[0]
    found = amlite.arm("GET", f"{subscription}/resources", version="2021-04-01", credential=reader)
    assert [each["name"] for each in found.json()["value"]] == ["kv-seen"]


def test_role_definitions_are_found_by_name(amlite: LocalAzure) -> None:
    """`az role assignment create --role NAME` sends this filter, and refuses more than one answer."""
    path = f"{GROUP_ID}/providers/Microsoft.Authorization/roleDefinitions"
    wanted = "&$filter=roleName eq 'Key Vault Secrets User'"
    (found,) = amlite.arm("GET", path, version="2022-04-01", query=wanted).json()["value"]
    assert found["properties"]["roleName"] == "Key Vault Secrets User"


def test_resource_manager_writes_secrets_and_never_returns_a_value(amlite: LocalAzure) -> None:
    """Source: secrets.json of Microsoft.KeyVault, which templates use."""
    from azure.core.exceptions import HttpResponseError
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.keyvault import KeyVaultManagementClient

    from amlite import SUBSCRIPTION_ID
    from amlite_fixtures.azure import GROUP

    base = make(amlite, "kv-managed", enableRbacAuthorization=True)
    officer = amlite.application(("Key Vault Secrets Officer", f"{VAULTS}/kv-managed"))
    with KeyVaultManagementClient(DefaultAzureCredential(), SUBSCRIPTION_ID) as client:
        wanted = {"tags": {"team": "flights"}, "properties": {"value": "swordfish", "contentType": "text/plain"}}
        made = client.secrets.create_or_update(GROUP, "kv-managed", "key", wanted)
        assert (made.tags, made.properties.content_type, made.properties.value) == (wanted["tags"], "text/plain", None)
        assert made.properties.secret_uri == f"{base}secrets/key"
        assert (
            ask(amlite, "GET", made.properties.secret_uri_with_version, credential=officer).json()["value"]
            == "swordfish"
        )
        ask(amlite, "PUT", f"{base}secrets/other", {"value": "1"}, officer)
        assert sorted(each.name for each in client.secrets.list(GROUP, "kv-managed")) == ["key", "other"]
        changed = client.secrets.update(GROUP, "kv-managed", "key", {"properties": {"attributes": {"enabled": False}}})
        assert changed.properties.attributes.enabled is False
        assert client.secrets.get(GROUP, "kv-managed", "key").properties.attributes.enabled is False
        with pytest.raises(HttpResponseError, match="SecretNotFound"):
            client.secrets.get(GROUP, "kv-managed", "none")


@pytest.mark.attack
@pytest.mark.parametrize("by", ["PUT", "PATCH", "template", "template-with-text"])
def test_a_contributor_does_not_change_who_reads_the_secrets(amlite: LocalAzure, by: str) -> None:
    """The permission model decides whether roles or the policies of the vault, which a contributor writes, count."""
    name = f"kv-by-{by.lower()}"
    base = make(amlite, name, enableRbacAuthorization=True)
    thief = amlite.application(("Contributor", GROUP_ID))
    ask(
        amlite,
        "PUT",
        f"{base}secrets/key",
        {"value": "SECRET"},
        amlite.application(("Key Vault Administrator", GROUP_ID)),
    )
    policy = {"tenantId": TENANT_ID, "objectId": object_id(thief), "permissions": {"secrets": ["get"]}}
    wanted: Any = {"tenantId": TENANT_ID, "sku": {"family": "A", "name": "standard"}, "accessPolicies": [policy]}
    if by == "PATCH":
        wanted["enableRbacAuthorization"] = False
    if by == "template-with-text":
        wanted["enableRbacAuthorization"] = "false"  # which is true for who only looks whether it is empty
    body = {"location": "westeurope", "properties": wanted}
    if by.startswith("template"):
        resource = {"type": "Microsoft.KeyVault/vaults", "apiVersion": "2023-07-01", "name": name, **body}
        template = {"contentVersion": "1.0.0.0", "resources": [resource]}
        deployment = f"{GROUP_ID}/providers/Microsoft.Resources/deployments/{name}"
        properties = {"mode": "Incremental", "template": template}
        amlite.arm("PUT", deployment, {"properties": properties}, "2024-03-01", credential=thief)
    else:
        refused = amlite.arm(by, f"{VAULTS}/{name}", body, "2023-07-01", credential=thief)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "InsufficientPermissions")
    assert ask(amlite, "GET", f"{base}secrets/key", credential=thief).status_code == 403
    assert amlite.arm("GET", f"{VAULTS}/{name}", None, "2023-07-01").json()["properties"]["enableRbacAuthorization"]
    # What leaves the model as it is, a contributor may change.
    tagged = amlite.arm("PATCH", f"{VAULTS}/{name}", {"tags": {"a": "b"}}, "2023-07-01", credential=thief)
    assert tagged.status_code == 200
    assert (
        amlite.arm(
            "PATCH", f"{VAULTS}/{name}", {"properties": {**wanted, "enableRbacAuthorization": False}}, "2023-07-01"
        ).status_code
        == 200
    )
    assert ask(amlite, "GET", f"{base}secrets/key", credential=thief).status_code == 200


@pytest.mark.attack
def test_nobody_purges_a_secret_of_a_vault_with_purge_protection(amlite: LocalAzure) -> None:
    base = make(amlite, "kv-protected", enableRbacAuthorization=True, enablePurgeProtection=True)
    administrator = amlite.application(("Key Vault Administrator", GROUP_ID))
    made = ask(amlite, "PUT", f"{base}secrets/key", {"value": "1"}, administrator).json()
    assert made["attributes"]["recoveryLevel"] == "Recoverable"
    ask(amlite, "DELETE", f"{base}secrets/key", credential=administrator)
    refused = ask(amlite, "DELETE", f"{base}deletedsecrets/key", credential=administrator)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "Forbidden")
    assert ask(amlite, "POST", f"{base}deletedsecrets/key/recover", credential=administrator).status_code == 200
    assert ask(amlite, "GET", f"{base}secrets/key", credential=administrator).json()["value"] == "1"


@pytest.mark.attack
@pytest.mark.parametrize(
    "wrong",
    [
        {"attributes": [1]},
        {"attributes": {"enabled": []}},
        {"attributes": {"exp": "x"}},
        {"tags": [1]},
        {"contentType": {}},
    ],
)
def test_a_secret_has_attributes_of_the_known_types(amlite: LocalAzure, wrong: Any) -> None:
    base = make(amlite, "kv-types", enableRbacAuthorization=True)
    administrator = amlite.application(("Key Vault Administrator", GROUP_ID))
    made = ask(amlite, "PUT", f"{base}secrets/key", {"value": "1"}, administrator).json()
    for method, address in (("PUT", f"{base}secrets/key"), ("PATCH", made["id"])):
        refused = ask(amlite, method, address, {"value": "2", **wrong}, administrator)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "BadParameter")

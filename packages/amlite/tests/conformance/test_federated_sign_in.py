"""Sign-in with the ID tokens of CI platforms: Entra's checks of client assertions, and how jobs get them.

Sources: "Workload identity federation" (Entra docs), GitHub's "OpenID Connect reference", and "Oidctoken - Create" of
Azure DevOps' REST API. The texts of the refusals are those in Azure/login#180, #482 and #515.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import jwt
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import AzurePipelinesCredential, ClientAssertionCredential

from amlite import SUBSCRIPTION_ID, TENANT_ID
from amlite.control import address
from amlite.testing import LocalAzure
from amlite_fixtures.azure import ARM

SUBJECT = "repo:contoso/flights:environment:dev"
GITHUB = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"


class Identity:
    """A user-assigned identity that may list its resource group, and its federated credentials."""

    def __init__(self, azure: LocalAzure) -> None:
        self.azure = azure
        self.group = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-{uuid.uuid4().hex[:8]}"
        azure.put(self.group, {"location": "westeurope"}, "2021-04-01")
        self.id = f"{self.group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-ci"
        properties = azure.put(self.id, {"location": "westeurope"}, "2023-01-31")["properties"]
        self.client_id = properties["clientId"]
        azure.assign("Reader", self.group, properties["principalId"])

    def trust(self, subject: str = SUBJECT, issuer: str = GITHUB, audience: str = AUDIENCE) -> None:
        """Add a federated credential."""
        properties = {"issuer": issuer, "subject": subject, "audiences": [audience]}
        path = f"{self.id}/federatedIdentityCredentials/{uuid.uuid4().hex[:8]}"
        self.azure.put(path, {"properties": properties}, "2023-01-31")

    def status(self, token: str) -> int:
        """Return the status of a request with an access token."""
        address = f"{ARM}{self.group}?api-version=2021-04-01"
        return self.azure.session.get(address, headers={"Authorization": f"Bearer {token}"}).status_code

    def sign_in(self, assertion: str) -> str:
        """Return an access token for an assertion."""
        with ClientAssertionCredential(TENANT_ID, self.client_id, lambda: assertion) as credential:
            return credential.get_token(f"{ARM}/.default").token


@pytest.fixture
def identity(amlite: LocalAzure) -> Iterator[Identity]:
    made = Identity(amlite)
    yield made
    amlite.remove(made.group, "2021-04-01")


def _id_token(azure: LocalAzure, variables: dict[str, str], audience: str = AUDIENCE) -> str:
    answer = azure.session.get(
        f"{variables['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={audience}",
        headers={"Authorization": f"Bearer {variables['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"},
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["value"])


def test_job_of_github_signs_in_as_the_identity_that_trusts_it(amlite: LocalAzure, identity: Identity) -> None:
    identity.trust()
    assertion = _id_token(amlite, amlite.ci_job("github", SUBJECT))
    claims = jwt.decode(assertion, options={"verify_signature": False})
    assert (claims["iss"], claims["sub"], claims["aud"]) == (GITHUB, SUBJECT, AUDIENCE)
    assert claims["exp"] - claims["iat"] == 300
    assert identity.status(identity.sign_in(assertion)) == 200


def test_job_of_azure_pipelines_signs_in_with_the_unmodified_credential(
    amlite: LocalAzure, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = f"/eid1/c/pub/t/{uuid.uuid4().hex}/a/{uuid.uuid4().hex}/sc/{uuid.uuid4()}/azure-dev"
    issuer = f"https://login.microsoftonline.com/{TENANT_ID}/v2.0"
    identity.trust(subject, issuer)
    job = amlite.ci_job("azureDevOps", subject, issuer=issuer)
    monkeypatch.setenv("SYSTEM_OIDCREQUESTURI", job["SYSTEM_OIDCREQUESTURI"])
    with AzurePipelinesCredential(
        tenant_id=TENANT_ID,
        client_id=identity.client_id,
        service_connection_id=job["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"],
        system_access_token=job["SYSTEM_ACCESSTOKEN"],
    ) as credential:
        assert identity.status(credential.get_token(f"{ARM}/.default").token) == 200


def test_azure_pipelines_refuses_get(amlite: LocalAzure) -> None:
    job = amlite.ci_job("azureDevOps", "sc://contoso/flights/azure-dev")
    answer = amlite.session.get(
        f"{job['SYSTEM_OIDCREQUESTURI']}?api-version=7.1&serviceConnectionId="
        f"{job['AZURESUBSCRIPTION_SERVICE_CONNECTION_ID']}",
        headers={"Authorization": f"Bearer {job['SYSTEM_ACCESSTOKEN']}"},
    )
    assert answer.status_code == 405
    assert "does not support http method 'GET'" in answer.json()["value"]["Message"]


@pytest.mark.parametrize("bearer", [None, "Bearer wrong"])
def test_job_must_show_its_token(amlite: LocalAzure, bearer: str | None) -> None:
    job = amlite.ci_job("github", SUBJECT)
    headers = {"Authorization": bearer} if bearer else {}
    assert amlite.session.get(job["ACTIONS_ID_TOKEN_REQUEST_URL"], headers=headers).status_code == 401


def test_assertion_that_expired_is_refused(amlite: LocalAzure, identity: Identity) -> None:
    identity.trust()
    assertion = _id_token(amlite, amlite.ci_job("github", SUBJECT))
    identity.sign_in(assertion)
    amlite.advance(301)
    with pytest.raises(
        ClientAuthenticationError,
        match=r"AADSTS700024: Client assertion is not within its valid time range\. Current time: \S+Z, "
        r"assertion valid from \S+Z, expiry time of assertion \S+Z\.",
    ):
        identity.sign_in(assertion)


@pytest.mark.parametrize(
    ("trusted", "shown"),
    [
        (None, "AADSTS70021: No matching federated identity record found for presented assertion. Assertion Issuer: "),
        ({"issuer": "https://example.com"}, f"AADSTS700211: No matching .* assertion issuer '{GITHUB}'"),
        ({"audience": "api://other"}, f"AADSTS700212: No matching .* assertion audience '{AUDIENCE}'"),
        ({"subject": "repo:contoso/flights:environment:prod"}, f"AADSTS700213: No matching .* subject '{SUBJECT}'"),
        ({"subject": SUBJECT.replace("contoso", "Contoso")}, "AADSTS7002138: .* not with case-sensitive comparison"),
    ],
)
def test_assertion_that_no_credential_matches_is_refused(
    amlite: LocalAzure, identity: Identity, trusted: dict[str, str] | None, shown: str
) -> None:
    if trusted is not None:
        identity.trust(**trusted)
    assertion = _id_token(amlite, amlite.ci_job("github", SUBJECT))
    with pytest.raises(ClientAuthenticationError, match=shown):
        identity.sign_in(assertion)


def test_assertion_that_the_issuer_did_not_sign_is_refused(amlite: LocalAzure, identity: Identity) -> None:
    identity.trust()
    assertion = _id_token(amlite, amlite.ci_job("github", SUBJECT))
    claims = jwt.decode(assertion, options={"verify_signature": False})
    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
        identity.sign_in(jwt.encode(claims, "x" * 32, algorithm="HS256"))


@pytest.mark.attack
def test_assertion_for_no_audience_is_refused(identity: Identity) -> None:
    assertion = jwt.encode({"iss": GITHUB, "sub": SUBJECT, "aud": []}, "x" * 32, algorithm="HS256")
    with pytest.raises(ClientAuthenticationError, match="AADSTS70021"):
        identity.sign_in(assertion)
    identity.trust()
    with pytest.raises(ClientAuthenticationError, match="AADSTS700212"):
        identity.sign_in(assertion)


def test_identity_that_does_not_exist_is_refused(amlite: LocalAzure) -> None:
    with (
        ClientAssertionCredential(TENANT_ID, str(uuid.uuid4()), lambda: "assertion") as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS700016"),
    ):
        credential.get_token(f"{ARM}/.default")


@pytest.mark.attack
@pytest.mark.parametrize("path", ["/ci-jobs", "/applications", "/users", "/clock", "/status"])
def test_a_contributor_does_not_become_an_identity_that_trusts_a_ci_job(amlite: LocalAzure, path: str) -> None:
    """On Azure, a contributor to the subscription makes no token of a CI host, and no application in Entra ID."""
    contributor = amlite.application(("Contributor", f"/subscriptions/{SUBSCRIPTION_ID}"))
    token = contributor.get_token(f"{address.AUDIENCE}/.default").token
    answer = amlite.session.request(
        "GET" if path == "/status" else "POST",
        f"https://{address.HOST}{path}",
        json={"kind": "github", "subject": SUBJECT, "seconds": 0},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AuthorizationFailed")

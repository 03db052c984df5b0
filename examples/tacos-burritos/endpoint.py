"""Requests to the endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from infra.outputs import StackOutputs
from pulumi_azureml.operations import of_azure
from release.scoring.requests import key

_SECONDS = 60
# On Azure, the gateway answers 424 for each status of the model server but 200, and puts the server's status here.
_STATUS = "ms-azureml-model-error-statuscode"


@dataclass(frozen=True)
class Answer:
    """An answer of the model server: its own status and its JSON."""

    status: int
    content: dict[str, Any]


class Endpoint:
    """The endpoint, with a key."""

    def __init__(self, uri: str, key: str) -> None:
        """Take the scoring URI and the key."""
        self.uri = uri
        # It keeps the connection: a new one costs more than the answer.
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    @classmethod
    def of(cls, outputs: StackOutputs, name: str) -> Endpoint:
        """Find an endpoint in a stack's outputs, and its key. Raises ReleaseError or AzureError."""
        return cls(of_azure(outputs.endpoints[name].scoring_uri, "inference.ml.azure.com"), key(outputs, name))

    def get(self, image: str) -> Answer:
        """Ask about the picture at an address. Raises requests.RequestException."""
        return _read(self._session.get(self.uri, params={"image": image}, timeout=_SECONDS))

    def post(self, picture: bytes, type_: str = "image/png") -> Answer:
        """Ask about a picture. Raises requests.RequestException."""
        headers = {"Content-Type": type_}
        return _read(self._session.post(self.uri, picture, headers=headers, timeout=_SECONDS))


def _read(response: requests.Response) -> Answer:
    try:
        content = response.json()
    except ValueError:
        content = {"error": response.text}
    status = int(response.headers.get(_STATUS) or response.status_code)
    return Answer(status, content if isinstance(content, dict) else {"error": str(content)})

"""Scoring script of the endpoint: tells a taco from a burrito.

`GET <scoring uri>?image=<address>` fetches a picture. `POST` takes one as the body. The response is
`{"label": "taco", "probability": 0.98}`. What cannot be scored gets a status of 4xx and `{"error": "<reason>"}`.
The environment variable ALLOWED_PRIVATE_HOSTS lists hosts in private networks that pictures may come from.
"""

import io
import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from azureml_inference_server_http.api.aml_request import rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse
from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).parent))  # the server runs this file by its path

from fetch import MOST_BYTES, FetchError, fetch

log = logging.getLogger("azmlinfsrv.score")

SIDE = 224
MOST_PIXELS = 40_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")


class Scorer:
    """A loaded model with its labels."""

    def __init__(self, folder: Path, private_hosts: frozenset[str]) -> None:
        card = json.loads((folder / "card.json").read_text("utf-8"))
        self.labels: list[str] = card["labels"]
        self.private_hosts = private_hosts
        options = onnxruntime.SessionOptions()
        # Threads that spin after a picture take the CPUs from the next one.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        model = str(folder / "model.onnx")
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def score(self, request: Any) -> dict[str, Any]:
        """Return the response to a request. Raises FetchError with the status of the response."""
        if request.method == "GET":
            url = request.args.get("image", "")
            if not url:
                raise FetchError(400, "add ?image=<address of a picture> to the address, or send a picture with POST")
            content = fetch(url, self.private_hosts)
        else:
            if (request.content_length or 0) > MOST_BYTES:
                raise FetchError(413, f"the picture is larger than {MOST_BYTES >> 20} MB")
            content = request.get_data(cache=False)
        probability = float(self.session.run(None, {"image": decoded(content)[None]})[0][0])
        label = self.labels[int(probability > 0.5)]
        return {"label": label, "probability": round(max(probability, 1 - probability), 4)}


def decoded(content: bytes) -> np.ndarray:
    """Return a picture as the model takes it: a square in RGB, on white. Raises FetchError."""
    if not content:
        raise FetchError(400, "the picture is empty")
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures, which are refused here.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
        if picture.width * picture.height > MOST_PIXELS:
            raise FetchError(413, f"the picture has {picture.width} x {picture.height} pixels, which are too many")
        picture = ImageOps.exif_transpose(picture).convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FetchError(415, f"the content is not a picture of a known format: {', '.join(FORMATS)}") from error
    white = Image.new("RGBA", picture.size, "white")
    picture = Image.alpha_composite(white, picture).convert("RGB")
    return np.asarray(ImageOps.pad(picture, (SIDE, SIDE), color="white"), np.uint8)


scorer: Scorer | None = None


def init() -> None:
    """Load the model. The server calls this once, before it accepts requests."""
    global scorer  # noqa: PLW0603  the server requires two functions of a module
    found = sorted(Path(os.environ["AZUREML_MODEL_DIR"]).rglob("model.onnx"))
    if len(found) != 1:
        message = f"AZUREML_MODEL_DIR: expected one model.onnx, found {len(found)}"
        raise FileNotFoundError(message)
    hosts = os.environ.get("ALLOWED_PRIVATE_HOSTS", "").replace(",", " ").split()
    scorer = Scorer(found[0].parent, frozenset(hosts))
    log.info("model loaded from %s; private hosts: %s", found[0].parent, ", ".join(hosts) or "none")


@rawhttp
def run(request: Any) -> Any:
    """Score a request. The server calls this for each request."""
    if scorer is None:
        message = "init() has not been called"
        raise RuntimeError(message)
    try:
        return scorer.score(request)
    except FetchError as error:
        return AMLResponse({"error": str(error)}, error.status, json_str=True)

"""A client as written for Google's AutoML container: all it knows of the server is the address."""

import base64
import json
import urllib.request
from typing import Any


class AutoMLClient:
    """Posts images to the container's REST door, as Google's sample does, and returns its JSON."""

    def __init__(self, host: str, model: str = "default") -> None:
        self._url = f"{host}/v1/models/{model}:predict"

    def predict(self, *images: bytes) -> Any:
        """The predictions for the images, keyed by their place, from 1."""
        instances = [
            {"image_bytes": {"b64": base64.b64encode(image).decode("utf-8")}, "key": str(number)}
            for number, image in enumerate(images, 1)
        ]
        # No content type, as `requests.post(url, data=json.dumps(...))` leaves it.
        request = urllib.request.Request(
            self._url, data=json.dumps({"instances": instances}).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["predictions"]


def b64(image: bytes) -> dict[str, str]:
    """Bytes as TensorFlow Serving's JSON has them."""
    return {"b64": base64.b64encode(image).decode()}

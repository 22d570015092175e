"""TensorFlow Serving's door: `/v1/models/...` with mutated JSON, verbs and versions."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from soak.corpus import pictures
from soak.mutate import mutated, mutated_json

if TYPE_CHECKING:
    from random import Random

    from soak.shot import Pen, Shot

_VERBS = (":predict", ":predict", ":classify", ":regress", "/metadata", "", ":PREDICT", ":", "/x")
_MANY = 300  # more than are taken
_MIDDLES = ("", "", "/versions/1", "/versions/" + "9" * 19, "/versions/" + "9" * 4_000, "/labels/a")


def make(pen: Pen) -> Shot:
    """A prediction with mutated content at a good path, or anything at an odd one."""
    random = pen.random
    path = f"/v1/models/{pen.model}:predict"
    if random.random() < 0.3:
        name = pen.model if random.random() < 0.6 else quote(pen.odd_text(), errors="replace")
        root = random.choice(("/v1/models/", "/V1/MODELS/", "/v1/", "/v1/models//"))
        path = root + name + random.choice(_MIDDLES) + random.choice(_VERBS)
    if random.random() < 0.15:
        return pen.whole(random.choice(("GET", "HEAD", "PUT", "DELETE")), path)
    value = _request(random)
    body = mutated_json(random, value) if random.random() < 0.8 else json.dumps(value).encode()
    return pen.whole("POST", path, [(b"Content-Type", b"application/json")], body)


def _request(random: Random) -> Any:
    count = _MANY if random.random() < 0.01 else random.choice((1, 1, 1, 2, 5))
    picture = random.choice(pictures()) if count < _MANY else b"x"
    images = [_image(random, picture) for _ in range(count)]
    name = random.choice(("image_bytes", "image_bytes", "image", "inputs", "key"))
    value: dict[str, Any]
    if random.random() < 0.3:
        value = {"inputs": {name: images, "key": [str(at) for at in range(count)]}}
    elif random.random() < 0.2:
        value = {"instances": images}
    else:
        value = {"instances": [{name: image, "key": str(at)} for at, image in enumerate(images)]}
    if random.random() < 0.2:
        value["signature_name"] = random.choice(("serving_default", "", "other"))
    return value


def _image(random: Random, picture: bytes) -> dict[str, str]:
    if random.random() < 0.5:
        picture = mutated(random, picture)
    return {"b64": base64.b64encode(picture).decode()}

"""Small things that the tests of the container share."""

import json


def readable(folder):
    """Let any user of a container read the folder, also where pytest made it for its own alone."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def top(answer):
    """The best label of an answer of the camera door."""
    return answer["predictions"][0]["label"]


def request_lines(logs):
    """The lines of a JSON log that tell of requests."""
    lines = [json.loads(line) for line in logs.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "request"]

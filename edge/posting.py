"""Posts JSON to the owner's server, for the webhooks: no redirects, a time-out, no secret told."""

from __future__ import annotations

import base64
import http.client
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge import __version__
from edge.secret_text import split_url

if TYPE_CHECKING:
    from collections.abc import Mapping

USER_AGENT = f"edge/{__version__}"
"""Some firewalls block the one that Python's library sends by itself."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Makes a redirect a failure: following it would turn the POST into a GET without a body."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


@dataclass(frozen=True, slots=True)
class PostFault:
    """Why a receiver did not take a post.

    Attributes:
        words: what went wrong; never the URL, which may be a secret.
        status: the HTTP status that it answered; ``None`` if it did not answer.
    """

    words: str
    status: int | None = None


class Poster:
    """Posts to one URL. Blocks: call `post` on a thread that nothing waits for.

    Args:
        url: an ``http`` or ``https`` URL; its name and password, if any, are sent as HTTP Basic.
        timeout_s: seconds that each step of the connection may take.

    Raises:
        ValueError: the URL cannot be used; the message does not quote it.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url, credentials = split_url(url)
        self._headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        if credentials is not None:
            basic = base64.b64encode(credentials.encode()).decode()
            self._headers["Authorization"] = f"Basic {basic}"
        self._timeout_s = timeout_s
        self._opener = urllib.request.build_opener(_NoRedirect)

    def post(self, body: bytes, headers: Mapping[str, str]) -> PostFault | None:
        """Post a body; returns what went wrong, or ``None`` once the receiver has taken it."""
        every = {**self._headers, **headers}
        try:
            request = urllib.request.Request(self._url, body, every, method="POST")  # noqa: S310 -- the owner's URL
            self._opener.open(request, timeout=self._timeout_s).close()
        except urllib.error.HTTPError as error:
            error.close()
            return PostFault(f"it answered {error.code}", error.code)
        except OSError as error:
            return PostFault(_words(error))
        # Their words may quote the URL, which is a secret, or whatever answered.
        except (http.client.HTTPException, ValueError) as error:
            kind = type(error).__name__
            return PostFault(f"it cannot be asked, or its answer is not HTTP ({kind})")
        return None


def _words(error: OSError) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    plain = reason.strerror if isinstance(reason, OSError) else None
    return plain or str(reason)

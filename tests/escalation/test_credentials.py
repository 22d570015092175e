"""The online model as Google's is: behind TLS, and only for tokens of accounts that it knows."""

from __future__ import annotations

import json
import time

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from edge.testing.vertex import ENDPOINT, FakeVertex

pytestmark = pytest.mark.slow  # whole systems, whose waits add up to minutes

UNSURE = {
    "models": "models/imagenet",
    "cloud_mode": "low_confidence",
    "cloud_threshold": 1.0,
    "cloud-endpoint": ENDPOINT,
}
PEM = serialization.Encoding.PEM


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def account_key():
    return rsa.generate_private_key(65_537, 2048)


@pytest.fixture(scope="module")
def vertex(authority, account_key, tmp_path_factory):
    """The double with a certificate for its address, and one account that may call."""
    folder = tmp_path_factory.mktemp("far")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(folder / "far.pem")
    )
    public = account_key.public_key().public_bytes(
        PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "account.pem").write_bytes(public)
    with FakeVertex(certificate=folder / "far.pem", account=folder / "account.pem") as fake:
        yield fake


@pytest.fixture(params=["grpc", "rest"])
def address(request, vertex):
    vertex.behave()
    there = vertex.address if request.param == "grpc" else vertex.rest_address
    return {"cloud-address": there.removeprefix("https://"), "cloud-transport": request.param}


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch):
    """The authority is made known as README says."""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    for name in ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "authority.pem"))


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A machine on which nobody has left credentials."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def account(tmp_path, account_key):
    return written(tmp_path, account_key)


def written(folder, key, token_uri="http://127.0.0.1:1/nobody"):
    """A service account's file as Google hands it out."""
    private = key.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "account.json"
    file.write_text(
        json.dumps(
            {
                "type": "service_account",
                "project_id": "p",
                "private_key_id": "1",
                "private_key": private.decode(),
                "client_email": "edge@p.iam.gserviceaccount.com",
                "token_uri": token_uri,
            }
        )
    )
    return file


@pytest.fixture
def federated(tmp_path, vertex):
    """Workload identity federation: a token of the owner's own is exchanged for one of Google's."""
    (tmp_path / "subject").write_text("the owner's own token")
    file = tmp_path / "federated.json"
    file.write_text(
        json.dumps(
            {
                "type": "external_account",
                "audience": "//iam.googleapis.com/projects/1/locations/global"
                "/workloadIdentityPools/a/providers/b",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "token_url": vertex.token_uri,
                "credential_source": {"file": str(tmp_path / "subject")},
            }
        )
    )
    return file


@pytest.mark.usefixtures("trusted", "home")
def test_a_service_account_signs_its_own_token_and_fetches_none(
    serve, vertex, address, account, photo
):
    with serve(**UNSURE, **address, cloud_credentials=account) as server:
        server.link_is("up")
        assert server.post(photo)["source"] == "cloud"
    assert len(vertex.calls()) == 1


@pytest.mark.usefixtures("trusted", "home")
@pytest.mark.parametrize("kind", ["account", "federated"])
def test_application_default_credentials_are_found(
    serve, address, photo, monkeypatch, request, kind
):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(request.getfixturevalue(kind)))
    with serve(**UNSURE, **address) as server:
        server.link_is("up")
        assert server.post(photo)["source"] == "cloud", server.get("/fallback")["link"]


@pytest.mark.usefixtures("home")
def test_without_any_credentials_the_edge_serves_and_says_what_is_missing(serve, address, photo):
    with serve(**UNSURE, **address) as server:
        server.wait(lambda: "credentials" in server.get("/fallback")["link"]["fault"])
        assert server.get("/health/ready")["ready"]
        answer = server.post(photo)
        assert (answer["source"], answer["blocked_by"]) == ("edge", "link_down")


@pytest.mark.usefixtures("home")
def test_an_untrusted_certificate_is_reported(serve, vertex, address, account, photo):
    with serve(**UNSURE, **address, cloud_credentials=account) as server:
        server.wait(lambda: "certificate" in server.get("/fallback")["link"]["fault"])
        assert server.post(photo)["blocked_by"] == "link_down"
    assert vertex.calls() == []


@pytest.mark.usefixtures("trusted", "home")
def test_an_account_unknown_to_the_far_side_is_reported(serve, vertex, address, tmp_path, photo):
    stranger = written(tmp_path, rsa.generate_private_key(65_537, 2048))
    with serve(**UNSURE, **address, cloud_credentials=stranger) as server:
        server.link_is("up")
        assert server.post(photo)["blocked_by"] == "cloud_failed"
        assert "credentials are wrong" in server.get("/fallback")["link"]["fault"]
        assert server.post(photo)["blocked_by"] == "link_down"
    assert vertex.calls() == []


@pytest.mark.usefixtures("trusted", "home")
def test_a_refused_token_is_reported(serve, vertex, address, federated, photo, monkeypatch):
    vertex.behave(token_status=400)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(federated))
    with serve(**UNSURE, **address) as server:
        server.link_is("up")
        assert server.post(photo)["source"] == "edge"
        assert "credentials are wrong" in server.get("/fallback")["link"]["fault"]
        assert server.post(photo)["blocked_by"] == "link_down"


@pytest.mark.usefixtures("trusted", "home")
def test_a_token_that_does_not_come_costs_the_clouds_share_once_and_holds_up_nothing(
    serve, vertex, address, federated, photo, monkeypatch
):
    vertex.behave(token_hang=True)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(federated))
    with serve(**UNSURE, **address, cloud_timeout_ms=500) as server:
        server.link_is("up")
        started = time.monotonic()
        assert server.post(photo)["blocked_by"] == "timed_out"
        assert time.monotonic() - started < 5
        assert server.post(photo)["blocked_by"] == "link_down"
        server.process.terminate()
        assert server.process.wait(10) == 0

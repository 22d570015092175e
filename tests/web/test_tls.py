"""HTTPS: the authority and its certificate, their renewal, and the pairing of a device."""

import asyncio
import re
import socket
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from serving.pictures import photo
from serving.process import ROOT, clean_environment
from serving.secure import SecureServer, free_port
from websockets.sync.client import connect

from edge.errors import SettingsError
from edge.settings import Settings
from edge.tls.authority import CERTIFICATE_DAYS
from edge.tls.certificate import fingerprint, server_context
from edge.tls.provisioning import certificate
from edge.tls.seen_names import MAX_NAMES, NameLearner, seen_names

NOW = datetime.now(UTC)


def settings(tmp_path, **given) -> Settings:
    return Settings(data=tmp_path, tls=True, **given)


def leaf(made) -> x509.Certificate:
    return x509.load_pem_x509_certificate(made.chain.read_bytes())


def names(made) -> set[str]:
    return {
        str(name.value)
        for name in leaf(made).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    }


def shake_hands(made, authority, host) -> None:
    """A TLS handshake as a device that trusts the authority does it; raises where the device would
    warn.
    """
    ours, theirs = socket.socketpair()
    failed = []

    def serve() -> None:
        try:
            server_context(made).wrap_socket(ours, server_side=True).close()
        except OSError as error:
            failed.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        context = ssl.create_default_context(cafile=str(authority))
        context.wrap_socket(theirs, server_hostname=host).close()
    finally:
        theirs.close()
        thread.join(10)
        ours.close()


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    return certificate(
        settings(tmp_path_factory.mktemp("data"), tls_names="camera.lan, 192.168.7.7")
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "camera.lan", "192.168.7.7"])
def test_a_device_that_trusts_the_authority_connects_by_every_name(made_once, host):
    shake_hands(made_once, made_once.authority, host)


def test_a_device_is_warned_of_a_name_that_is_not_this_machine_s(made_once):
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(made_once, made_once.authority, "example.com")


def test_keys_are_readable_by_their_owner_alone(made_once):
    folder = made_once.chain.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("ca.key", "server.key"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert not list(folder.glob("*.new"))


def test_the_authority_vouches_for_private_names_and_addresses_only(tmp_path):
    first = certificate(settings(tmp_path))
    constraints = x509.load_pem_x509_certificate(
        first.authority.read_bytes()
    ).extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    later = certificate(settings(tmp_path, tls_names="bank.example.com,10.1.2.3"))
    assert "10.1.2.3" in names(later)
    assert "bank.example.com" not in names(later)


def test_an_authority_made_for_a_public_name_vouches_for_it(tmp_path):
    assert {"kiosk.example.com", "203.0.113.9"} <= names(
        certificate(settings(tmp_path, tls_names="kiosk.example.com,203.0.113.9"))
    )


def test_a_second_start_changes_nothing(tmp_path):
    first = certificate(settings(tmp_path))
    before = {file.name: file.read_bytes() for file in first.chain.parent.iterdir()}
    certificate(settings(tmp_path))
    assert {file.name: file.read_bytes() for file in first.chain.parent.iterdir()} == before


def test_a_certificate_is_renewed_before_it_ends_and_the_authority_stays(tmp_path):
    first = certificate(settings(tmp_path), NOW)
    authority, serial = first.authority.read_bytes(), leaf(first).serial_number
    assert (
        leaf(
            certificate(settings(tmp_path), NOW + timedelta(days=CERTIFICATE_DAYS - 31))
        ).serial_number
        == serial
    )
    renewed = certificate(settings(tmp_path), NOW + timedelta(days=CERTIFICATE_DAYS - 29))
    assert leaf(renewed).serial_number != serial
    assert first.authority.read_bytes() == authority
    assert leaf(renewed).not_valid_after_utc > NOW + timedelta(days=2 * CERTIFICATE_DAYS - 31)


def test_a_certificate_lives_no_longer_than_devices_take_or_its_authority(tmp_path):
    made = certificate(settings(tmp_path), NOW)
    authority = x509.load_pem_x509_certificate(made.authority.read_bytes())
    assert leaf(made).not_valid_after_utc - leaf(made).not_valid_before_utc <= timedelta(days=398)
    late = certificate(settings(tmp_path), authority.not_valid_after_utc - timedelta(days=40))
    assert leaf(late).not_valid_after_utc <= authority.not_valid_after_utc


def test_an_authority_that_ends_soon_is_made_anew_with_its_certificate(tmp_path):
    first = certificate(settings(tmp_path), NOW)
    authority, serial = first.authority.read_bytes(), leaf(first).serial_number
    certificate(settings(tmp_path), NOW + timedelta(days=3650 - 20))
    assert first.authority.read_bytes() != authority
    assert leaf(first).serial_number != serial


def test_a_machine_that_moved_gets_a_certificate_for_its_new_names(tmp_path):
    first = certificate(settings(tmp_path, tls_names="192.168.1.5"))
    moved = certificate(settings(tmp_path, tls_names="192.168.2.6"))
    assert "192.168.2.6" in names(moved)
    assert "192.168.1.5" not in names(moved)
    shake_hands(moved, first.authority, "192.168.2.6")


@pytest.mark.parametrize("file", ["ca.pem", "ca.key", "server.pem", "server.key"])
@pytest.mark.parametrize("damage", ["cut", "gone", "another's", "with a password"])
def test_a_damaged_file_is_made_anew_and_fits(tmp_path, file, damage):
    made = certificate(settings(tmp_path / "one"))
    path = made.chain.parent / file
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:40])
    elif damage == "another's":
        other = certificate(settings(tmp_path / "other"))
        path.write_bytes((other.chain.parent / file).read_bytes())
    elif file.endswith(".key"):
        key = load_pem_private_key(path.read_bytes(), None)
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))
        )
    mended = certificate(settings(tmp_path / "one"))
    shake_hands(mended, mended.authority, "localhost")


def test_what_a_power_cut_left_does_not_stop_a_later_start(tmp_path):
    folder = tmp_path / "tls"
    folder.mkdir()
    for name in ("ca.pem", "ca.key", "server.pem", "server.key"):
        (folder / f"{name}.new").write_bytes(b"half a fi")
    made = certificate(settings(tmp_path))
    shake_hands(made, made.authority, "localhost")
    assert not list(folder.glob("*.new"))


def test_a_certificate_of_a_clock_that_was_ahead_is_made_anew(tmp_path):
    ahead = certificate(settings(tmp_path), NOW + timedelta(days=5))
    serial = leaf(ahead).serial_number
    back = certificate(settings(tmp_path), NOW)
    assert leaf(back).serial_number != serial
    shake_hands(back, back.authority, "localhost")


def test_a_phone_whose_clock_is_some_hours_behind_takes_a_new_certificate(tmp_path):
    made = certificate(settings(tmp_path), NOW)
    authority = x509.load_pem_x509_certificate(made.authority.read_bytes())
    for one in (leaf(made), authority):
        assert NOW - timedelta(days=2) < one.not_valid_before_utc < NOW - timedelta(hours=12)


def test_the_authority_stands_in_the_chain_behind_its_certificate(tmp_path):
    made = certificate(settings(tmp_path))
    chain = x509.load_pem_x509_certificates(made.chain.read_bytes())
    assert chain[1:] == x509.load_pem_x509_certificates(made.authority.read_bytes())


def test_old_versions_of_tls_are_not_spoken(made_once):
    assert server_context(made_once).minimum_version is ssl.TLSVersion.TLSv1_2


def test_the_owner_s_certificate_is_served_as_it_is(tmp_path):
    owners = certificate(settings(tmp_path / "elsewhere"))
    given = certificate(settings(tmp_path / "data", tls_cert=owners.chain, tls_key=owners.key))
    assert (given.chain, given.key, given.authority) == (owners.chain, owners.key, None)
    assert not (tmp_path / "data").exists()
    shake_hands(given, owners.authority, "localhost")


def test_an_owner_s_certificate_that_is_no_good_is_told(tmp_path):
    with pytest.raises(SettingsError, match="tls_cert names does not exist"):
        certificate(settings(tmp_path, tls_cert=tmp_path / "missing.pem"))
    one, other = certificate(settings(tmp_path / "one")), certificate(settings(tmp_path / "other"))
    with pytest.raises(SettingsError, match="cannot be used"):
        server_context(certificate(settings(tmp_path, tls_cert=one.chain, tls_key=other.key)))


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_with_a_passphrase_is_explained_with_the_remedy(tmp_path, form, capfd):
    made = certificate(settings(tmp_path / "made"))
    key = load_pem_private_key(made.key.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret")))
    both = tmp_path / "both.pem"
    both.write_bytes(made.chain.read_bytes() + locked.read_bytes())
    for files in ({"tls_cert": made.chain, "tls_key": locked}, {"tls_cert": both}):
        with pytest.raises(SettingsError, match=r"has a passphrase.*openssl pkey") as refused:
            server_context(certificate(settings(tmp_path, **files)))
        assert str(files.get("tls_key", both)) in refused.value.message
        assert "Errno" not in refused.value.message
    assert capfd.readouterr() == ("", "")  # nobody is asked for it


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [
        ("chain", "other", "the key is not the certificate's"),
        ("chain", "chain", "PEM"),
        ("der", "key", "PEM"),
        ("empty", "key", "PEM"),
        ("chain", "empty", "PEM"),
    ],
)
def test_invalid_certificate_and_key_files_are_explained(tmp_path, cert, key, words):
    made, other = (certificate(settings(tmp_path / name)) for name in ("one", "two"))
    files = {"chain": made.chain, "key": made.key, "other": other.key}
    for name, content in (("der", leaf(made).public_bytes(Encoding.DER)), ("empty", b"")):
        files[name] = tmp_path / name
        files[name].write_bytes(content)
    with pytest.raises(SettingsError, match=words) as refused:
        server_context(certificate(settings(tmp_path, tls_cert=files[cert], tls_key=files[key])))
    assert "Errno" not in refused.value.message


def test_a_data_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="--data"):
        certificate(Settings(data=tmp_path / "file", tls=True))


def test_a_name_that_is_none_is_told(tmp_path):
    with pytest.raises(SettingsError, match="tls_names"):
        certificate(settings(tmp_path, tls_names=f"{'x' * 70}.lan"))


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    with SecureServer(tmp_path_factory.mktemp("data"), "--pairing-port", free_port()) as running:
        yield running


def test_every_door_is_served_over_https(secure):
    assert secure.url.startswith("https://")
    assert "server" not in secure.client.get("/health/live").headers
    reply = secure.client.post("/predict", content=photo("coffee"))
    assert reply.json()["predictions"][0]["label"] == "espresso"
    context = ssl.create_default_context(cafile=str(secure.authority))
    with connect(f"{secure.url.replace('https', 'wss')}/stream", ssl=context) as stream:
        stream.send(photo("coffee"))
        assert "espresso" in stream.recv(timeout=30)


def test_a_device_pairs_over_plain_http_and_finds_nothing_else_there(secure):
    told = secure.client.get("/pair/info").json()
    assert told["authority"] == fingerprint(secure.authority)
    port = re.search(r":(\d+)/pair$", told["pairing_url"])[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as plain:
        assert plain.get("/pair").status_code == 200
        served = plain.get("/pair/ca.crt")
        assert served.headers["content-type"] == "application/x-x509-ca-cert"
        expected = x509.load_pem_x509_certificate(secure.authority.read_bytes())
        assert served.content == expected.public_bytes(Encoding.DER)
        there = plain.get("/pair/info").json()
        assert there["url"].startswith("https://")
        assert there["url"].endswith(f":{secure.url.rpartition(':')[2]}/")
        assert plain.get("/pair/qr.svg").headers["content-type"] == "image/svg+xml"
        assert "server" not in plain.get("/pair").headers
        for path in ("/predict", "/kiosk", "/wall", "/models", "/health/live"):
            assert plain.get(path).status_code == 404, path


def test_a_taken_pairing_port_stops_nothing(tmp_path):
    taken = socket.create_server(("127.0.0.1", 0))
    with taken, SecureServer(tmp_path, "--pairing-port", taken.getsockname()[1]) as running:
        assert running.client.get("/pair").status_code == 200
        assert "no pairing page over plain HTTP" in running.log


def test_without_tls_the_cryptography_that_makes_certificates_is_not_loaded():
    program = "import sys, edge.commands.serve; print('cryptography' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout
        == "False\n"
    )


def test_the_health_check_finds_a_service_that_speaks_https(secure):
    port = secure.url.rpartition(":")[2]
    program = [sys.executable, "-m", "edge.commands.health"]
    for tls, code in (("true", 0), ("false", 1)):
        environment = clean_environment() | {"EDGE_PORT": port, "EDGE_TLS": tls}
        for command in (program, [sys.executable, "-m", "edge", "health"]):
            assert (
                subprocess.run(
                    command, cwd=ROOT, env=environment, capture_output=True, check=False
                ).returncode
                == code
            )


def test_a_new_host_name_keeps_the_authority_and_warns_of_nothing(tmp_path, monkeypatch, caplog):
    """As a container has that was made anew: nobody reaches it by that name."""
    monkeypatch.setattr(socket, "gethostname", lambda: "0123456789ab")
    first = certificate(settings(tmp_path))
    authority = first.authority.read_bytes()
    assert not any("0123456789ab" in name for name in names(first))
    for host in ("ba9876543210", "renamed"):
        monkeypatch.setattr(socket, "gethostname", lambda host=host: host)
        made = certificate(settings(tmp_path))
        shake_hands(made, first.authority, "localhost")
    assert first.authority.read_bytes() == authority
    assert "renamed.local" in names(made)
    assert "renamed" not in names(made)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_the_pairing_page_learns_the_address_by_which_a_phone_comes(tmp_path):
    """A container knows no address of its host; the certificate has it before the phone goes on."""
    pairing = free_port()
    with SecureServer(tmp_path, "--pairing-port", pairing) as server:
        asked = {"Host": f"192.168.44.55:{pairing}"}
        told = httpx.get(f"http://127.0.0.1:{pairing}/pair/info", headers=asked).json()
        assert told["url"].startswith("https://192.168.44.55:")
        port = int(server.url.rpartition(":")[2])
        context = ssl.create_default_context(cafile=str(server.authority))
        with socket.create_connection(("127.0.0.1", port), 30) as plain:
            context.wrap_socket(plain, server_hostname="192.168.44.55").close()
        server.client.close()
        assert server.stop() == 0
    later = certificate(settings(tmp_path))
    assert "192.168.44.55" in names(later)


@pytest.mark.parametrize("host", ["bank.example.com", "8.8.8.8", "localhost", "a/b.lan", "kiosk"])
def test_a_name_for_which_no_authority_vouches_is_not_learnt(tmp_path, host):
    renewed = []
    asyncio.run(NameLearner(tmp_path, lambda: renewed.append(1)).learn(host))
    assert (renewed, seen_names(tmp_path)) == ([], [])


def test_no_more_names_are_learnt_than_a_certificate_is_to_have(tmp_path):
    async def flood():
        learner = NameLearner(tmp_path, lambda: None)
        for number in range(100):
            await learner.learn(f"10.0.0.{number}")

    asyncio.run(flood())
    assert seen_names(tmp_path) == [f"10.0.0.{number}" for number in range(MAX_NAMES)]

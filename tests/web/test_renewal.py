"""A certificate that is renewed reaches the running server, and one that is no good takes nothing away."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from builders.waiting import wait
from cryptography import x509
from serving.loop import CALM_S, until
from serving.secure import SecureServer

from edge.settings import Settings
from edge.web.authority import CERTIFICATE_DAYS, RENEW_DAYS
from edge.web.tls import RENEWAL_S, Certificate, certificate, keep_renewed, server_context

NOW = datetime.now(UTC)


class Clock:
    """The time of day, moved on by hand."""

    def __init__(self) -> None:
        self.now = NOW
        self.asked = 0
        self.fault: Exception | None = None

    def __call__(self) -> datetime:
        self.asked += 1
        if self.fault:
            raise self.fault
        return self.now


class Served:
    """A TLS server whose certificate is kept renewed, without an application."""

    def __init__(self, settings: Settings) -> None:
        self.clock = Clock()
        self.made = certificate(settings, NOW)
        self._settings = settings

    async def live(self, act: Callable[["Served"], Awaitable[None]]) -> None:
        context = server_context(self.made)
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
        self._port = server.sockets[0].getsockname()[1]
        renewing = asyncio.create_task(keep_renewed(context, self._settings, 0.01, self.clock))
        try:
            await act(self)
            assert not renewing.done()
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing
            server.close()

    async def serial(self) -> int:
        """The number of the certificate that a new connection is shown."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        async with asyncio.timeout(CALM_S):
            _, writer = await asyncio.open_connection("127.0.0.1", self._port, ssl=context)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.transport.abort()
        return x509.load_der_x509_certificate(shown).serial_number

    async def looks(self, times: int = 2) -> None:
        """Return when the certificate has been looked at that often from now on, the last time to its end."""
        asked = self.clock.asked
        await until(lambda: self.clock.asked > asked + times)


def serial_of(made: Certificate) -> int:
    return x509.load_pem_x509_certificate(made.chain.read_bytes()).serial_number


def run(settings: Settings, act: Callable[[Served], Awaitable[None]]) -> None:
    asyncio.run(Served(settings).live(act))


def test_the_next_connection_is_shown_the_certificate_that_was_renewed_when_its_time_came(tmp_path):
    async def act(served: Served) -> None:
        first = await served.serial()
        served.clock.now = NOW + timedelta(days=CERTIFICATE_DAYS - RENEW_DAYS - 1)
        await served.looks()
        assert await served.serial() == first
        served.clock.now += timedelta(days=2)
        await served.looks()
        second = await served.serial()
        assert second == serial_of(served.made) != first
        served.clock.now += timedelta(days=CERTIFICATE_DAYS)
        await served.looks()
        assert await served.serial() == serial_of(served.made) not in {first, second}

    run(Settings(data=tmp_path, tls=True), act)


def copy(made: Certificate, chain: Path, key: Path) -> None:
    chain.write_bytes(made.chain.read_bytes())
    key.write_bytes(made.key.read_bytes())


@pytest.mark.parametrize("fault", ["gone", "broken", "the key of another", "a folder"])
def test_an_owner_s_certificate_that_is_no_good_leaves_the_old_one_until_it_is_mended(tmp_path, fault):
    one, other = (certificate(Settings(data=tmp_path / name, tls=True)) for name in ("one", "other"))
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    copy(one, chain, key)

    async def act(served: Served) -> None:
        first = await served.serial()
        if fault == "gone":
            chain.unlink()
        elif fault == "broken":
            chain.write_text("-----BEGIN CERTIFICATE-----\n")
        elif fault == "the key of another":
            chain.write_bytes(other.chain.read_bytes())
        else:
            chain.unlink()
            chain.mkdir()
        await served.looks()
        assert await served.serial() == first == serial_of(one)
        if chain.is_dir():
            chain.rmdir()
        copy(other, chain, key)
        await served.looks()
        assert await served.serial() == serial_of(other) != first

    run(Settings(data=tmp_path / "none", tls_cert=chain, tls_key=key), act)


def test_a_fault_that_nobody_thought_of_does_not_end_the_renewal(tmp_path, caplog):
    async def act(served: Served) -> None:
        first = await served.serial()
        served.clock.fault = RuntimeError("the clock stands still")
        await served.looks()
        assert "the clock stands still" in caplog.text
        served.clock.fault = None
        served.clock.now = NOW + timedelta(days=CERTIFICATE_DAYS)
        await served.looks()
        assert await served.serial() == serial_of(served.made) != first

    run(Settings(data=tmp_path, tls=True), act)


def test_the_certificate_is_looked_at_many_times_before_its_end():
    assert 60 <= RENEWAL_S <= timedelta(days=RENEW_DAYS).total_seconds() / 10


PROGRAM = """
from edge.bootstrap import build_service
from edge.settings import load_settings
from edge.web.server import serve

settings = load_settings()
serve(
    build_service(settings),
    settings,
    on_listening=lambda url, _: print("edge serves on", url, flush=True),
    renewal_s=0.05,
)
"""


def test_a_running_service_shows_the_renewed_certificate_without_a_restart(tmp_path):
    environment = {"EDGE_PORT": "0", "EDGE_TLS": "true", "EDGE_DATA": str(tmp_path), "EDGE_PAIRING_PORT": "0"}
    with SecureServer(tmp_path, program=("-c", PROGRAM), env=environment) as server:
        chain = tmp_path / "tls" / "server.pem"
        host, port = server.url.removeprefix("https://").split(":")

        def shown() -> str:
            return ssl.get_server_certificate((host, int(port)), ca_certs=str(server.authority), timeout=CALM_S)

        first = shown()
        assert first in chain.read_text()
        chain.unlink()
        wait(lambda: shown() != first)
        assert shown() in chain.read_text()
        server.client.close()
        assert server.stop() == 0
        assert "Traceback" not in server.log

"""The unit that starts the kiosk at boot: systemd takes it, Chromium with its flags shows the page.

What a container cannot show: the screen itself (cage, Wayland) and the policy in /etc.
"""

import json
import os  # tests stand outside the service: they hand Chromium an environment
import re
import shlex
import shutil
import subprocess
import time

import pytest
from chromium import CHROMIUM, clip
from playwright.sync_api import expect
from serving.process import ROOT

UNIT = ROOT / "docker/edge-kiosk.service"
POLICY = ROOT / "docker/edge-kiosk-policy.json"
_PATIENCE_S = 60


def command():
    """The words of the unit's ExecStart, with its variables in their places."""
    text = UNIT.read_text().replace("\\\n", " ")
    page = re.search(r"^Environment=PAGE=(\S+)$", text, re.MULTILINE)[1]
    line = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)[1]
    return shlex.split(line.replace("${PAGE}", page))


def test_systemd_takes_the_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not there (apt-get install systemd)")
    text = re.sub(r"/usr/bin/(cage|curl)", "/usr/bin/env", UNIT.read_text())  # may not be installed
    (tmp_path / UNIT.name).write_text(text)
    shutil.copy(ROOT / "docker/edge.service", tmp_path)
    found = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / UNIT.name)],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:/lib/systemd/system"},
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    about = [line for line in found.stderr.splitlines() if "edge-kiosk" in line]
    assert not about


def test_the_unit_opens_the_locked_page_of_a_service_that_the_policy_allows():
    *_, page = command()
    assert page == "http://localhost:8501/kiosk?locked=1"
    policy = json.loads(POLICY.read_text())
    assert policy["URLBlocklist"] == ["*"]
    assert policy["URLAllowlist"] == ["localhost:8501"]


def test_chromium_with_the_units_flags_shows_a_locked_kiosk_with_its_camera(
    chromium_program, served, tmp_path
):
    words = command()
    flags = [word for word in words if word.startswith("--")]
    assert "--kiosk" in flags
    flags = [word for word in flags if not word.startswith(("--user-data-dir", "--ozone-platform"))]
    profile = tmp_path / "profile"
    page_url = words[-1].replace(
        "http://localhost:8501", served.url.replace("0.0.0.0", "127.0.0.1")
    )
    here = [
        "--headless=new",
        "--no-sandbox",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={clip('coffee', tmp_path)}",
    ]
    browser = subprocess.Popen(
        [str(CHROMIUM), *flags, *here, page_url],
        env={**os.environ, "HOME": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = _debugging_port(profile)
        connected = chromium_program.connect_over_cdp(f"http://127.0.0.1:{port}")
        [page] = [one for one in connected.contexts[0].pages if one.url == page_url]
        expect(page.locator("#verdict")).to_have_text("espresso", timeout=_PATIENCE_S * 1000)
        expect(page.locator("#state")).to_have_text("Live")
        assert page.locator("a:visible").count() == 0
        expect(page.get_by_role("button", name="Settings")).to_be_hidden()
    finally:
        browser.kill()
        browser.wait()


def _debugging_port(profile):
    """The port that Chromium has picked, as it writes it once it listens."""
    file = profile / "DevToolsActivePort"
    until = time.monotonic() + _PATIENCE_S
    while not (file.is_file() and file.read_text().strip()):
        assert time.monotonic() < until, "Chromium did not start"
        time.sleep(0.05)
    return int(file.read_text().split()[0])

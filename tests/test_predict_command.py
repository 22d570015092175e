"""`edge predict` as a tool: what it finds, prints into a pipe, a terminal and files, and Ctrl-C."""

from __future__ import annotations

import csv
import fcntl
import html.parser
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from urllib.parse import unquote

import pytest
from builders.images import encode, noise, quadrants, turned
from builders.tflite import tiny_export
from builders.waiting import wait
from click.testing import CliRunner
from PIL import Image

from edge.cli import main
from edge.commands import images as images_module
from edge.commands.images import find_images, read_streams, short_names
from edge.errors import InputError

HEIC = b"\x00\x00\x00\x18ftypheic" + bytes(60)
JPEG = encode(noise(9, 9), "JPEG")


def edge(*arguments, **how):
    return CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False, **how)


@pytest.fixture
def export(tmp_path):
    return tiny_export(tmp_path)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def found_in(folder, **how):
    return [str(image.path.relative_to(folder)) for image in find_images([str(folder)], **how)]


def test_every_ending_of_a_picture_is_taken_in_any_case(photos):
    names = ["a.jfif", "b.JPE", "c.jpg", "d.jpeg", "e.apng", "f.heic", "g.AVIF", "h.tif", "i.webp"]
    for name in [*names, "notes.txt", "Thumbs.db"]:
        (photos / name).write_bytes(JPEG)
    assert found_in(photos) == names


def test_what_systems_leave_behind_is_passed_over(photos):
    kept = photos / "a/b/kept.jpg"
    for path in (
        kept,
        photos / "._kept.jpg",
        photos / ".DS_Store",
        photos / ".thumbs/x.jpg",
        photos / "__MACOSX/x.jpg",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(JPEG)
    assert found_in(photos) == ["a/b/kept.jpg"]
    named = photos / "._kept.jpg"
    assert [image.path for image in find_images([str(named)])] == [named]


def test_the_folders_that_this_command_writes_are_not_searched(photos):
    for name in ("a.jpg", "report/thumbnails/00001.jpg"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(JPEG)
    assert found_in(photos, written=[photos / "report"]) == ["a.jpg"]


def test_a_heic_a_link_to_nothing_and_a_closed_folder_are_rows_and_the_rest_goes_on(
    export, photos, monkeypatch
):
    (photos / "a.heic").write_bytes(HEIC)
    (photos / "b.jpg").symlink_to("nowhere")
    (photos / "c.jpg").write_bytes(JPEG)
    walk = os.walk

    def walk_past_a_closed_folder(folder, onerror):
        onerror(PermissionError(13, "Permission denied", str(photos / "closed")))
        return walk(folder)

    monkeypatch.setattr(images_module.os, "walk", walk_past_a_closed_folder)
    done = edge("predict", photos, "--model", export)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert done.exit_code == 1
    assert [(Path(file).name, status) for file, status, _ in rows] == [
        ("a.heic", "failed"),
        ("b.jpg", "failed"),
        ("c.jpg", "certain"),
        ("closed", "failed"),
    ]
    words = [row[2] for row in rows]
    assert "HEIC" in words[0]
    assert "No such file" in words[1]
    assert "Permission denied" in words[3]


def test_standard_input_is_an_image(export):
    done = edge("predict", "-", "--model", export, input=JPEG)
    assert done.exit_code == 0
    assert done.stdout.startswith("-\tcertain\tlabel ")
    as_json = edge("predict", "-", "--model", export, "--json", input=JPEG)
    assert json.loads(as_json.stdout)["file"] == "-"
    empty = edge("predict", "-", "--model", export, input=b"")
    assert (empty.exit_code, empty.stdout.split("\t")[1]) == (1, "failed")


def test_a_pipe_that_is_named_is_read(export, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["cp", export / "dict.txt", fifo]):
        (image,) = read_streams(find_images([str(fifo)]))
    assert image.read() == (export / "dict.txt").read_bytes()


def test_an_image_without_an_end_is_an_error_and_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(images_module, "MAX_BYTES", 3 << 20)
    (image,) = read_streams(find_images(["/dev/zero"]))
    with pytest.raises(InputError, match="more than 3 MiB"):
        image.read()


def test_names_for_people_are_relative_to_the_folder_that_all_have_in_common(tmp_path):
    def named(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b"")
        return find_images([str(tmp_path / name) for name in names])

    assert short_names(named("p/x/a.jpg")) == ["a.jpg"]
    assert short_names(named("p/x/a.jpg", "p/y/a.jpg")) == ["x/a.jpg", "y/a.jpg"]
    assert short_names(find_images([str(tmp_path / "p")])) == ["x/a.jpg", "y/a.jpg"]
    assert short_names([*find_images(["-"]), *named("p/x/a.jpg")]) == ["standard input", "a.jpg"]
    far_apart = [*find_images(["/dev/zero"]), *named("p/x/a.jpg")]
    assert short_names(far_apart) == ["/dev/zero", str(tmp_path / "p/x/a.jpg")]


EVIL = "evil\x1b]52;c;AAAA\x07\nline\ttab\u202e.jpg"


def test_no_name_commands_a_terminal_or_forges_a_line(export, photos):
    (photos / EVIL).write_bytes(JPEG)
    for how in ([], ["--json"], ["--csv", "-"]):
        done = edge("predict", photos, "--model", export, *how)
        text = done.stdout + done.stderr
        rows = 1 + (5 if "--csv" in how else 0)  # a header, and five predictions
        assert len(done.stdout.splitlines()) == rows
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text.replace("\r\n", "\n"))


def test_a_file_name_that_is_not_utf_8_survives_json(export, photos):
    name = bytes(photos) + b"/latin\xe9.jpg"
    Path(os.fsdecode(name)).write_bytes(JPEG)
    done = edge("predict", photos, "--model", export, "--json")
    assert os.fsencode(json.loads(done.stdout)["file"]) == name


@pytest.mark.parametrize("how", [[], ["--json"], ["--csv", "-"]])
def test_a_locale_that_cannot_write_a_name_ends_no_run(export, photos, repository_root, how):
    (photos / "写真.jpg").write_bytes(JPEG)
    command = [sys.executable, "-m", "edge", "predict", photos, "--model", export, *how]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(
        command, cwd=repository_root, env=environment, capture_output=True, check=True
    )
    line = done.stdout.decode("latin-1").splitlines()[-1]
    assert "\\u5199" in line
    if how == ["--json"]:
        assert json.loads(line)["file"] == str(photos / "写真.jpg")


def test_csv_has_a_row_a_prediction_and_nothing_that_a_spreadsheet_would_compute(
    tmp_path, photos, repository_root
):
    folder = tmp_path / "finder"
    folder.mkdir()
    shipped = repository_root / "models"
    labels = (shipped / "objects/dict.txt").read_text().splitlines()
    formula = "=cmd|' /C \"calc\"'!A0, b"
    labels = [formula if label == "Person" else label for label in labels]
    (folder / "model.tflite").symlink_to(shipped / "objects/model.tflite")
    (folder / "dict.txt").write_text("\n".join(labels))
    (photos / "a.jpg").symlink_to(shipped / "photos/astronaut.jpg")
    (photos / "b.jpg").write_bytes(JPEG[:40])
    target = tmp_path / "out.csv"
    done = edge("predict", photos, "--model", folder, "--csv", target)
    assert done.exit_code == 1, done.stderr
    raw = target.read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n")
    with target.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    answered = json.loads(edge("predict", photos / "a.jpg", "--model", folder, "--json").stdout)[
        "predictions"
    ]
    found = [row for row in rows if row["label"]]
    assert [float(row["score"]) for row in found] == [one["score"] for one in answered]
    assert found[0]["label"] == f"'{formula}"
    assert answered[0]["label"] == formula
    assert [float(row["x_max"]) for row in found] == [one["box"]["x_max"] for one in answered]
    (failed,) = [row for row in rows if row["status"] == "failed"]
    assert (failed["file"], failed["label"]) == (str(photos / "b.jpg"), "")
    assert failed["message"]


def test_several_images_end_in_a_summary_beside_the_pipe(export, photos):
    for name in "abc":
        (photos / f"{name}.jpg").write_bytes(JPEG)
    (photos / "d.jpg").write_bytes(b"nothing")
    done = edge("predict", photos, "--model", export)
    assert len(done.stdout.splitlines()) == 4
    assert re.search(r"4 images: 0 unsure, 1 failed \(.* images/s\)", done.stderr)
    assert re.search(r"label \d+ 3", done.stderr)
    assert "images" not in edge("predict", photos / "a.jpg", "--model", export).stderr


def test_drawn_pictures_never_replace_the_images(export, photos):
    (photos / "a.jpg").write_bytes(JPEG)
    assert edge("predict", photos / "a.jpg", "--model", export, "--draw", photos).exit_code == 0
    assert (photos / "a.jpg").read_bytes() == JPEG
    assert (photos / "a-2.jpg").is_file()


class Page(html.parser.HTMLParser):
    """What a page refers to, its groups, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data):
        self.text.append(data)


NASTY = "<script>alert(1)<b>&\"'#?%41.jpg"


def test_the_report_shows_all_images_from_disk_and_runs_nothing(export, photos, tmp_path):
    for name in ("a.jpg", NASTY):
        (photos / name).write_bytes(turned(6, "JPEG"))
    (photos / "broken.jpg").write_bytes(JPEG[:40])
    (photos / "z.png").write_bytes(encode(quadrants(), "PNG"))
    report = tmp_path / "report"
    done = edge("predict", photos, "--model", export, "--html", report, "--threshold", 0)
    assert done.exit_code == 1
    page = Page((report / "index.html").read_text("utf-8"))
    assert "script" not in page.tags
    assert (page.tags.count("figure"), page.tags.count("img")) == (4, 3)
    files = [link for link in page.links if not link.startswith("#")]
    assert not [link for link in files if ":" in link]
    assert all((report / unquote(link)).exists() for link in files)
    assert NASTY in "".join(page.text)
    for thumbnail in (report / "thumbnails").iterdir():
        with Image.open(thumbnail) as picture:
            assert max(picture.size) <= 480


def test_a_second_report_replaces_the_first_and_nothing_else(export, photos, tmp_path):
    report = tmp_path / "report"
    for name in "abc":
        (photos / f"{name}.jpg").write_bytes(JPEG)
    edge("predict", photos, "--model", export, "--html", report)
    edge("predict", photos / "a.jpg", "--model", export, "--html", report)
    assert len(list((report / "thumbnails").iterdir())) == 1
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text("my own page")
    done = edge("predict", photos, "--model", export, "--html", tmp_path / "site")
    assert (done.exit_code, "no report of edge" in done.stderr) == (2, True)
    assert (tmp_path / "site/index.html").read_text() == "my own page"


def in_a_terminal(columns, *arguments, interrupt_after=None):
    """Run `edge` in a pseudo-terminal of that width: what it showed, and its exit code.

    Args:
        interrupt_after: press Ctrl-C once this text was shown.
    """
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "edge", *map(str, arguments)],
        stdin=child,
        stdout=child,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
        # Where Ctrl-C is ignored, as behind a shell's `&`, a child would ignore it as well.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    os.close(child)
    shown = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:  # the terminal's last user has gone
            break
        shown += part
        if interrupt_after is not None and interrupt_after in shown:
            process.send_signal(signal.SIGINT)
            interrupt_after = None
    os.close(parent)
    wait(lambda: process.poll() is not None, 60)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    return plain.replace("\r\n", "\n").splitlines(), process.returncode


LONG = "a-photograph-with-a-very-long-name-that-nobody-would-type-by-hand"


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_shows_a_line_an_image_within_its_width(export, photos, columns):
    for number in range(3):
        (photos / f"{LONG}-{number}.jpg").write_bytes(JPEG)
    (photos / "broken.jpg").write_bytes(JPEG[:40])
    lines, code = in_a_terminal(columns, "predict", photos, "--model", export)
    assert code == 1
    rows, summary = lines[: lines.index("")], lines[lines.index("") :]
    assert len(rows) == 4
    assert max(map(len, rows)) <= columns
    for number, row in enumerate(rows[:3]):
        assert row.startswith("a-photograph")
        assert "…" in row
        assert f"-{number}.jpg  label" in row
    assert rows[3].startswith("broken.jpg")
    assert summary[1].startswith("4 images: 0 unsure, 1 failed")


def test_a_single_image_is_shown_in_full(repository_root):
    photo = repository_root / "models/photos/astronaut.jpg"
    lines, code = in_a_terminal(80, "predict", photo)
    assert code == 0
    assert lines[0] == "astronaut.jpg: not sure (football helmet 17 %, bobsled 12 %)"
    assert re.match(r"  football helmet +17 %  0\.1\d\d", lines[1])
    assert "0.00" not in "".join(lines)


def test_ctrl_c_prints_what_is_done_and_ends_with_130(export, photos, tmp_path):
    (photos / "0.png").write_bytes(encode(noise(600, 600), "PNG"))
    for number in range(1, 3_000):
        (photos / f"{number}.png").symlink_to(photos / "0.png")
    report, table = tmp_path / "report", tmp_path / "out.csv"
    lines, code = in_a_terminal(
        80, "predict", photos, "--model", export, "--html", report, "--csv", table,
        interrupt_after=b"10.png",
    )  # fmt: skip
    assert code == 130
    (stopped,) = [line for line in lines if line.startswith("Stopped after")]
    done = int(re.match(r"Stopped after (\d+) of 3000 images", stopped)[1])
    assert 0 < done < 3_000
    rows = [line for line in lines if re.match(r"\d+\.png  ", line)]
    assert len(rows) == done
    page = Page((report / "index.html").read_text("utf-8"))
    assert page.tags.count("figure") == done
    with table.open(newline="") as file:
        assert len({row["file"] for row in csv.DictReader(file)}) == done

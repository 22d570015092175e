"""`keys.toml` in the data folder: keys that `edge key --save` makes and `edge serve` reads.

It holds hashes, never a key. Whatever is wrong with it stops the start: a service that goes on
without it would answer everyone.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import TypeAdapter, ValidationError

from edge.api_key import ApiKey, key_toml, parse_keys, shown_location
from edge.durable import replace_file
from edge.errors import SettingsError
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from edge.settings import Settings

FILE = "keys.toml"
_MODE = 0o600  # names and scopes are nobody else's business
_MAX_BYTES = 1 << 20  # some 6,000 keys; each costs a request a comparison
_TABLE = "api_keys"
_KEYS = TypeAdapter(dict[str, ApiKey])


def keys_folder(settings: Settings) -> Path:
    """The folder of `keys.toml`.

    Raises:
        SettingsError: there is none, because this user has no home folder.
    """
    folder = _data_folder(settings)
    if folder is None:
        raise SettingsError(
            "There is no folder to keep keys in: this user has no home folder. Choose one with "
            "--data (EDGE_DATA)."
        )
    return folder


def with_saved_keys(settings: Settings) -> Settings:
    """The settings with the saved keys added to their own.

    Raises:
        SettingsError: the file cannot be used, or holds another key of a name in the settings.
    """
    folder = _data_folder(settings)
    if folder is None:
        return settings
    keys = add_saved_keys(settings, folder, read_saved_keys(folder))
    return settings.model_copy(update={"api_keys": keys})


def add_saved_keys(
    settings: Settings, folder: Path, saved: Mapping[str, ApiKey]
) -> dict[str, ApiKey]:
    """All keys: those of the settings, and those saved in a folder.

    Raises:
        SettingsError: both have a key of one name, and they differ.
    """
    for name, key in saved.items():
        if settings.api_keys.get(name, key) != key:
            raise SettingsError(
                f"There are two keys called {escape(name)}: one in the settings (api_keys), one in "
                f"{folder / FILE}. Revoke the latter with `edge key --revoke NAME`, or remove the "
                "former."
            )
    return {**saved, **settings.api_keys}


def read_saved_keys(folder: Path) -> dict[str, ApiKey]:
    """Names and entries of the saved keys; empty if none was ever saved.

    Raises:
        SettingsError: the file cannot be read, or what it holds is not as it was written.
    """
    file = folder / FILE
    try:
        content = _read(file)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        _refuse(file, error.strerror or str(error))
    values = _parse(file, content)
    if set(values) - {_TABLE}:
        _refuse(file, f"only tables called [{_TABLE}.NAME] belong there")
    try:
        return _KEYS.validate_python(parse_keys(values.get(_TABLE, {})))
    except ValidationError as error:  # it holds the values: neither chained nor quoted
        fault = error.errors(include_url=False)[0]
        where = ".".join(shown_location(fault["loc"]))
        _refuse(file, f"{escape(where)}: {fault['msg'].removeprefix('Value error, ')}")
    except ValueError as error:
        _refuse(file, str(error))


def save_key(folder: Path, name: str, key: ApiKey) -> Path:
    """Add a key to the file, and return the file; the folder is made if it is missing.

    Raises:
        SettingsError: the name is taken, or the file cannot be read or written.
    """
    with _changing(folder):
        keys = read_saved_keys(folder)
        if name in keys:
            raise SettingsError(
                f"A key called {escape(name)} is saved already. Choose another name, or revoke it "
                "first: `edge key --revoke NAME`."
            )
        _write(folder, {**keys, name: key})
    return folder / FILE


def revoke_key(folder: Path, name: str) -> int:
    """Remove a key from the file, and return how many are left.

    Raises:
        SettingsError: no saved key has that name, or the file cannot be read or written.
    """
    if not folder.is_dir():
        raise _unknown(folder, name)
    with _changing(folder):
        keys = read_saved_keys(folder)
        if name not in keys:
            raise _unknown(folder, name)
        del keys[name]
        _write(folder, keys)
    return len(keys)


def _data_folder(settings: Settings) -> Path | None:
    """``None`` for a user without a home folder, as in many containers: nothing is saved there."""
    try:
        return settings.data_folder.absolute()
    except RuntimeError:
        return None


def _read(file: Path) -> bytes:
    # Without O_NONBLOCK, opening a pipe would wait for whoever writes into it.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is not a regular file")
        content = opened.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise OSError(f"it has more than {_MAX_BYTES} bytes")
    return content


def _parse(file: Path, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode())
    except UnicodeError:
        _refuse(file, "it is not UTF-8")
    except (ValueError, RecursionError) as error:
        # Only where the fault is: the words may quote what somebody wrote in place of a name.
        place = re.search(r"\(at [^()]*\)$", str(error))
        _refuse(file, f"it is not TOML {place[0] if place else ''}".rstrip())


def _write(folder: Path, keys: dict[str, ApiKey]) -> None:
    text = "\n".join(key_toml(name, key) for name, key in keys.items())
    head = "# Keys of `edge key --save`: hashes, not the keys. `edge serve` reads it on start.\n"
    content = f"{head}\n{text}".encode()
    if len(content) > _MAX_BYTES:
        raise SettingsError(
            f"{folder / FILE} would have more than {_MAX_BYTES} bytes. Revoke some keys first."
        )
    replace_file(folder / FILE, content, _MODE)


@contextmanager
def _changing(folder: Path) -> Iterator[None]:
    """Let one process at a time change the file; none can lose what another one has saved."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SettingsError(
            f"{folder / FILE} cannot be written: {error.strerror or error}. Choose a folder with "
            "--data (EDGE_DATA), the same one for `edge serve`."
        ) from error


def _unknown(folder: Path, name: str) -> SettingsError:
    return SettingsError(
        f"No key called {escape(name)} is in {folder / FILE}. `edge key --list` shows all; one in "
        "the settings (EDGE_API_KEYS, or the settings file) is removed there."
    )


def _refuse(file: Path, reason: str) -> NoReturn:
    raise SettingsError(
        f"The saved keys in {file} cannot be used: {reason}. Run `edge key` and `edge serve` as "
        "the same user; if the file is damaged, remove it and make new keys."
    ) from None

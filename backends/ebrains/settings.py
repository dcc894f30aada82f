"""Settings: a TOML file, then environment variables, then options; the later ones win.

    base_url = "https://nmpi-v3.hbpneuromorphic.eu"
    collab = "my-collab"                        # default: your private space
    token_command = "pass show ebrains"         # prints a token; asked again when it has expired
    tags = ["thesis"]

    [hardware_config]
    timeout = 2                                 # whole hours

    [platforms]                                 # other backends: name = platform
    brainscales = "BrainScaleS-2"

Each key is also an environment variable: EBRAINS_COLLAB, EBRAINS_MAX_DOWNLOAD, ... (tables and
lists as JSON). A token itself has no place in here.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import os
import shlex
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pynn_model.schema import nearest

from .errors import SettingsError

SERVICE = "https://nmpi-v3.hbpneuromorphic.eu"
KNOWN_SERVICES = (SERVICE, "https://nmc-remote-access.apps.ebrains.eu")
"""Addresses of the one public service."""

FILE_VARIABLE = "PYNN_EBRAINS_SETTINGS"
PREFIX = "EBRAINS_"


@dataclass(frozen=True)
class Settings:
    """How to reach the queue and what to ask of it. Times are in s, sizes in bytes."""

    base_url: str = SERVICE
    collab: str | None = None
    hardware_config: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    platforms: Mapping[str, str] = field(default_factory=dict)
    token_command: tuple[str, ...] = field(default=(), repr=False)
    poll_first: float = 2.0
    poll_last: float = 60.0
    connect_timeout: float = 10.0
    request_timeout: float = 60.0
    """The whole of one request and its answer; of a download, each silence in it."""
    patience: float = 300.0
    """How long one command goes on trying while the service does not answer."""
    outage: float = 86400.0
    """How long waiting for a job goes on while the service does not answer."""
    settle: float = 30.0
    """How long a job is looked for by its tag before it counts as not submitted."""
    output_wait: float = 600.0
    """How long a finished job may stay without its data."""
    removed_wait: float = 30.0
    """How long a removed job is watched for coming back to life."""
    max_download: int = 4_000_000_000
    """All output files of one job together."""

    def __post_init__(self) -> None:
        problems = [*check_address(self.base_url), *_check_hardware(self.hardware_config)]
        for name in ("poll_first", "poll_last", "connect_timeout", "request_timeout"):
            if getattr(self, name) <= 0:
                problems.append(f"{name} = {getattr(self, name):g}: must be greater than 0")
        for name in ("patience", "outage", "settle", "output_wait", "removed_wait", "max_download"):
            if getattr(self, name) < 0:
                problems.append(f"{name} = {getattr(self, name):g}: must not be negative")
        if self.poll_last < self.poll_first:
            problems.append("poll_last must not be less than poll_first")
        for tag in self.tags:
            if not 2 <= len(tag.strip()) <= 100:
                problems.append(f"tags: {tag!r}: a tag has 2 to 100 characters")
        if problems:
            raise SettingsError("\n  ".join(["the EBRAINS settings cannot be used:", *problems]))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(url: str) -> list[str]:
    """What keeps an address from being one that a token may be sent to."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return ["base_url: not an address"]
    if parts.username or parts.password:
        return ["base_url: must not hold a user name or a password"]
    if not host or parts.scheme not in ("http", "https"):
        return [f"base_url = {url!r}: must begin with https://"]
    if parts.scheme == "http" and not is_loopback(host):
        return [f"base_url = {url!r}: a token is sent over https only (http: this machine only)"]
    if parts.query or parts.fragment:
        return [f"base_url = {url!r}: must end with the path"]
    return []


def _check_hardware(config: Mapping[str, Any]) -> list[str]:
    """What is known to fail a job on SpiNNaker."""
    problems = []
    hours = config.get("timeout", 1)
    if isinstance(hours, bool) or not isinstance(hours, int) or hours < 1:
        problems.append(f"hardware_config.timeout = {hours!r}: must be whole hours, at least 1")
    for name in ("extra_pip_installs", "extra_git_repositories"):
        value = config.get(name, [])
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            problems.append(f"hardware_config.{name}: must be a list of texts")
    if not isinstance(config.get("spynnaker_version", ""), str):
        problems.append("hardware_config.spynnaker_version: must be a text")
    return problems


# --- reading ------------------------------------------------------------------------------------


def load(
    file: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """The settings of the file, the environment and the options (None: not given).

    file: default $PYNN_EBRAINS_SETTINGS, else ~/.config/pynn-experiment/ebrains.toml if it exists.
    Raises SettingsError with every problem at once.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    values = _from_file(file, environment, problems)
    for name in FIELDS:
        text = environment.get(PREFIX + name.upper())
        if text:
            values[name] = (f"{PREFIX}{name.upper()}", _from_text(name, text))
    for name, value in (options or {}).items():
        if value is not None:
            values[name] = (f"option {name}", value)
    kept: dict[str, Any] = {}
    for name, (where, value) in values.items():
        try:
            kept[name] = FIELDS[name](value)
        except (TypeError, ValueError) as error:
            problems.append(f"{where}: {error}")
    if problems:
        raise SettingsError("\n  ".join(["the EBRAINS settings cannot be used:", *problems]))
    return Settings(**kept)


def _from_file(
    file: str | Path | None, environment: Mapping[str, str], problems: list[str]
) -> dict[str, tuple[str, Any]]:
    named = file or environment.get(FILE_VARIABLE)
    path = Path(named) if named else _default_file(environment)
    if path is None or (not named and not path.is_file()):
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # TOML's own message never quotes a value, so none can end up in a terminal's history
        problems.append(f"{path}: not valid TOML: {error}")
        return {}
    values = {}
    for name, value in table.items():
        if "token" in name.lower() and name != "token_command":
            problems.append(
                f"{path}: {name}: a token has no place in a file; use token_command, or the "
                "environment variable EBRAINS_AUTH_TOKEN"
            )
        elif name not in FIELDS:
            problems.append(f"{path}: {name}: no such setting{nearest(name, FIELDS)}")
        else:
            values[name] = (f"{path}: {name}", value)
    return values


def _default_file(environment: Mapping[str, str]) -> Path | None:
    root = environment.get("XDG_CONFIG_HOME") or os.path.join(
        environment.get("HOME", ""), ".config"
    )
    return Path(root) / "pynn-experiment" / "ebrains.toml" if os.path.isabs(root) else None


def _from_text(name: str, text: str) -> Any:
    if FIELDS[name] in (_text, _command) or (FIELDS[name] is _texts and text[:1] != "["):
        return [tag.strip() for tag in text.split(",")] if FIELDS[name] is _texts else text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("must be a text")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise TypeError("must be a number")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("must be a whole number")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(entry, str) for entry in value):
        raise TypeError("must be a list of texts")
    return tuple(value)


def _command(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError:
            raise ValueError("the quotes in it do not match") from None
    if not value:
        raise ValueError("is empty")
    return _texts(value)


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("must be a table")
    return dict(value)


def _names(value: Any) -> dict[str, str]:
    return {name: _text(platform) for name, platform in _table(value).items()}


def _reader(kind: str) -> Callable[[Any], Any]:
    return {"float": _number, "int": _whole}[kind]


FIELDS: dict[str, Callable[[Any], Any]] = {
    "base_url": _text,
    "collab": _text,
    "hardware_config": _table,
    "tags": _texts,
    "platforms": _names,
    "token_command": _command,
}
"""Every setting, and what turns a value of the outside into one of it (TypeError, ValueError)."""
FIELDS.update(
    {f.name: _reader(str(f.type)) for f in dataclasses.fields(Settings) if f.name not in FIELDS}
)

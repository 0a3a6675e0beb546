"""Kinds for the tests of the configuration, and short ways to read one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from watchfloor.config.base import Settings
from watchfloor.config.fields import DurationField, Seconds
from watchfloor.config.loader import load
from watchfloor.config.model import Configuration, Loaded
from watchfloor.config.problems import Problem


class Login(Settings):
    """Nested settings with a secret."""

    user: str
    password: SecretStr


class Rest(Settings):
    """A kind with every sort of field."""

    url: str
    method: Literal["GET", "HEAD", "POST"] = "GET"
    headers: dict[str, SecretStr] = {}
    expect: tuple[int | str, ...] = (200,)
    login: Login | None = None
    dsn: SecretStr | None = None
    body: SecretStr | None = None
    slow_after: Annotated[float, DurationField("1ms", "1m")] = Seconds(2)
    ratio: float = Field(0.5, ge=0, le=1)
    verify: bool = True

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url} does not begin with http:// or https://")
        return url


class Port(Settings):
    """A small kind."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]


class Machine(Settings):
    """A kind without settings."""


class Hook(Settings):
    """A channel."""

    url: SecretStr
    secret: SecretStr | None = None
    headers: dict[str, SecretStr] = {}

    @field_validator("secret")
    @classmethod
    def _is_key(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not secret.get_secret_value().startswith("whsec_"):
            raise ValueError(f"{secret.get_secret_value()} is no signing secret; it begins with whsec_")
        return secret


KINDS: Mapping[str, type[Settings]] = {"rest": Rest, "port": Port, "host": Machine}
CHANNEL_KINDS: Mapping[str, type[Settings]] = {"hook": Hook}
HOME = {"HOME": "/home/operator"}


def load_text(folder: Path, text: str | bytes, **environ: str) -> Loaded:
    """Write a file and load it."""
    path = folder / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(path, KINDS, CHANNEL_KINDS, {**HOME, **environ})


def valid(folder: Path, text: str, **environ: str) -> Configuration:
    """Load a file that has no mistakes."""
    return load_text(folder, text, **environ).required()


def problems(folder: Path, text: str | bytes, **environ: str) -> list[str]:
    """The mistakes of a file, as they read, without the path of its directory."""
    loaded = load_text(folder, text, **environ)
    assert (loaded.configuration is None) == bool(loaded.problems)
    return [str(problem).replace(f"{folder}/", "") for problem in loaded.problems]


def problem(folder: Path, text: str | bytes, **environ: str) -> str:
    """The only mistake of a file."""
    (only,) = problems(folder, text, **environ)
    return only


def placed(loaded: Loaded) -> dict[str, Problem]:
    """Mistakes by the path they are about."""
    return {problem.path: problem for problem in loaded.problems}

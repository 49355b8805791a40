"""What a setting is, and how groups of them are read from the environment."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from ci_utils.errors import ConfigurationError


def setting(
    name: str,
    read: Callable[[str], Any],
    default: str | Callable[[], str],
    help: str,
    *,
    secret: bool = False,
) -> Any:
    """A field of a group of settings; `read` gives its value or raises `ValueError` with what it must be."""
    return dataclasses.field(
        metadata={"name": name, "read": read, "default": default, "help": help, "secret": secret}
    )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A group of settings: a frozen dataclass whose fields are made by `setting`."""

    groups: ClassVar[list[type[Settings]]] = []

    def __init_subclass__(cls) -> None:
        Settings.groups.append(cls)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read and check every setting of the group; raise `ConfigurationError` with the setting's name."""
        environ = os.environ if environ is None else environ
        values = {}
        for field in dataclasses.fields(cls):
            meta = field.metadata
            raw = _raw_value(meta["name"], environ, secret=meta["secret"])
            if not raw:
                raw = meta["default"]() if callable(meta["default"]) else meta["default"]
            try:
                values[field.name] = meta["read"](raw)
            except ValueError as error:
                shown = "its value" if meta["secret"] else repr(raw)
                raise ConfigurationError(f"{meta['name']}: {shown} is not valid: {error}") from None
        return cls(**values)


@dataclass(frozen=True)
class SettingDescription:
    """What the documentation must say of one setting."""

    name: str
    default: str
    help: str
    secret: bool
    group: str


def describe_settings() -> list[SettingDescription]:
    """The settings of all groups, each with the sentence that describes its group."""
    return [
        SettingDescription(
            f.metadata["name"],
            "" if callable(f.metadata["default"]) else f.metadata["default"],
            f.metadata["help"],
            f.metadata["secret"],
            (group.__doc__ or "").partition("\n")[0],
        )
        for group in Settings.groups
        for f in dataclasses.fields(group)
    ]


def refuse_unknown(environ: Mapping[str, str]) -> None:
    """Raise `ConfigurationError` for a `UCI_` variable that is no setting: it would be ignored silently."""
    known = {s.name for s in describe_settings()}
    known |= {f"{s.name}_FILE" for s in describe_settings() if s.secret}
    for name in environ:
        if name.startswith("UCI_") and name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigurationError(f"{name} is not a setting{hint}")


def _raw_value(name: str, environ: Mapping[str, str], *, secret: bool) -> str:
    path = environ.get(f"{name}_FILE", "") if secret else ""
    if not path:
        return environ.get(name, "")
    if environ.get(name):
        raise ConfigurationError(f"{name} and {name}_FILE are both set; keep one")
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"{name}_FILE: cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name}_FILE: {path} holds no text in UTF-8") from None

"""Compute: machines that boot an image and answer over ssh.

Specification: chapter "Test Runner" (instances of the image under test).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class AptArchive:
    """An apt archive that a machine's tests install from.

    `source_line` is a one-line-style entry without options, `directory` its
    files where this host has them, `key` the binary OpenPGP key that signs it.
    """

    source_line: str
    key: bytes
    directory: Path | None = None


@dataclass(frozen=True)
class TestbedNeeds:
    """What the tests on a machine will ask apt for.

    Machines of some adapters have no network; those adapters put the packages
    that satisfy `dependencies` (in the syntax of Depends) in place before the
    boot, from `archives` and the image's own sources. Nothing is installed.
    """

    dependencies: Sequence[str] = ()
    archives: Sequence[AptArchive] = field(default_factory=list)


class Instance(ABC):
    """A booted machine that answers over ssh as `user` with the key in `identity`."""

    host: str
    port: int
    user: str
    identity: Path
    #: A user of the machine without privileges, for tests that do not ask for root.
    ordinary_user: str
    #: "kvm", "tcg" or the cloud's name: how it runs, for the results.
    runs_on: str

    @abstractmethod
    def console(self) -> bytes:
        """The console output so far (its last 4 MiB)."""

    @abstractmethod
    def delete(self) -> None:
        """End the machine and remove all it left. Harmless when repeated."""


class Compute(ABC):
    """Boots images."""

    @abstractmethod
    def check(self) -> None:
        """Raise `ConfigurationError` or `Unavailable`, naming the setting, unless it can be used now."""

    @abstractmethod
    def boot(
        self,
        image_id: str,
        *,
        name: str,
        needs: TestbedNeeds = TestbedNeeds(),
        timeout: float,
        cancelled: Callable[[], bool],
    ) -> AbstractContextManager[Instance]:
        """Boot a throw-away machine from an image and yield it when ssh answers.

        The image itself is never changed. The machine is deleted on leaving
        the context. `name` marks it for `sweep`. Raises `StageFailed` (result
        key `console`: bytes) if the image does not boot, `TimedOut`,
        `Cancelled`, `Unavailable` if no machine can be had.
        """

    @abstractmethod
    def sweep(self, prefix: str) -> list[str]:
        """Delete machines whose name starts with `prefix` and that a dead process left; their names."""

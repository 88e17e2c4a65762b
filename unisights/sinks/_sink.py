"""The base class of all sinks."""

from abc import ABC, abstractmethod
from typing import Any, Self

from unisights.types import UnisightsPayload


class Sink(ABC):
    """A handler that stores payloads.

    A sink may be called from several event loops at once, and from forked processes: it connects
    where it is called.

    Attributes:
        location: the destination in words for people, without passwords.
    """

    location: str

    @classmethod
    @abstractmethod
    def from_url(cls, url: str) -> Self:
        """Return the sink that a URL describes.

        Raises:
            ConfigurationError: the URL does not have the form that this sink takes.
        """

    @property
    @abstractmethod
    def inspect_command(self) -> str:
        """A shell command that shows what was stored, without passwords."""

    @abstractmethod
    async def __call__(self, payload: UnisightsPayload, _request: Any) -> None:
        """Store a payload; return when the destination has confirmed it.

        Raises:
            SinkError: the payload was not stored, as far as can be known.
        """

    @abstractmethod
    async def open(self) -> None:
        """Connect now rather than at the first payload.

        Raises:
            SinkError: the destination cannot be reached or used; the message says why.
        """

    @abstractmethod
    async def close(self) -> None:
        """Store the payloads that are waiting, and disconnect. A later payload connects again."""

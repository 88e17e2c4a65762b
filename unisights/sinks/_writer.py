"""The connection through which a sink writes its batches."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Writer(ABC, Generic[Item]):
    """A connection to a destination, used on one event loop; it connects when first needed."""

    splits = False
    """Whether one item can make a whole batch fail. Then `write` stores all of a batch or nothing,
    and a batch that failed is halved."""

    @abstractmethod
    async def open(self) -> None:
        """Connect, unless connected, and make what the destination lacks, such as tables."""

    @abstractmethod
    async def write(self, items: Sequence[Item]) -> None:
        """Write a batch; return when the destination has confirmed it. Connects if needed."""

    @abstractmethod
    async def close(self) -> None:
        """Disconnect."""

    @abstractmethod
    def is_transient(self, error: Exception) -> bool:
        """Whether a later attempt may succeed although this error was raised."""

    def quotes_payloads(self, error: Exception) -> bool:  # noqa: ARG002
        """Whether an error's own text may quote payloads. Then it is neither shown nor chained."""
        return False

    def describe(self, error: Exception) -> str:
        """An error in words that quote nothing of the payloads."""
        return describe(error)


def describe(error: Exception) -> str:
    """An error on one line: its message, or its type if it has no message."""
    message = " ".join(str(error).split())
    if isinstance(error, TimeoutError) and not message:
        return "no answer in time"
    return message or type(error).__name__

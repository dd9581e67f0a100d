"""The contract of a kind of data: what a name after ``--dataset`` stands for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from uomh.data.cache import Source
from uomh.data.config import DataConfig


class Dataset(ABC):
    """A kind of data, registered among the ``datasets`` under a name or a suffix of files.

    Args:
        address: what follows the name and a colon, such as ``sphere-2`` in ``manifold:sphere-2``;
            for a suffix, the path of the file.
        config: settings of the data.

    Attributes:
        name: as registered: ``digits``, or ``.npz`` for files.
        written: how it is written after ``--dataset``, where that is more than its name.
        takes: settings of reading (`uomh.data.config.READING`) that mean something to it.
    """

    name: ClassVar[str]
    written: ClassVar[str] = ""
    takes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, address: str, config: DataConfig) -> None:
        self.address, self.config = address, config

    @property
    def title(self) -> str:
        """A short name for its folder in the cache."""
        return self.config.dataset

    def key(self) -> str:
        """What identifies the content in the cache: data whose key is there are not read again.

        By default the name, the address and what it takes. Where the content may be another under
        the same name, such as that of a file, the key says so (`uomh.data.layout.state`).
        """
        settings = [f"{name}={getattr(self.config, name)}" for name in self.takes]
        return " ".join([self.name, self.address, *settings])

    @abstractmethod
    def read(self) -> Source:
        """The data, with their labels. Called only where the cache does not have the key.

        Raises:
            UomhError: they are not there, or cannot be read as points.
        """

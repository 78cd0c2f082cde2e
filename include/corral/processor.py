"""What steps, loaders and alerts have in common: a name, a version, parameters, a process."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from include.corral.add_rows import add_rows
from include.corral.errors import ConfigurationError, FailureClass, classify
from include.corral.many import Many
from models.base import Base, canonical_json

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from include.corral.corral import Corral
    from include.corral.ledger import OpenRun
    from include.corral.result import Tally
    from include.corral.run import Run
    from include.corral.settings import Settings
    from include.corral.work import Work

Rows: TypeAlias = Iterable[Base | Many] | Base | None


class Processor(ABC):
    """Something that is triggered, works through units, and leaves a record of each.

    Parameters
    ----------
    **parameters
        Values that depart from the class's ``parameters``.

    Attributes
    ----------
    name
        By which the ledger knows it; the class's name unless given.
    version
        To be raised when the code changes what comes out: everything is then done anew.
    parameters
        Names and values; JSON types only. They are part of the fingerprint of every result.
    settings
        Of the installation it works in; there as soon as it is triggered.
    findings
        Kinds of things, beside rows, that ``process`` gives and ``write`` turns into rows.

    Raises
    ------
    ConfigurationError
        If a parameter has a name that the class does not know.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    parameters: Mapping[str, Any] = {}
    settings: Settings
    findings: ClassVar[tuple[type, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__

    def __init__(self, **parameters: Any) -> None:
        unknown = sorted(parameters.keys() - self.parameters.keys())
        if unknown:
            known = ", ".join(sorted(self.parameters)) or "none"
            raise ConfigurationError(
                f"{self.name} has no parameter {', '.join(unknown)}; it has: {known}"
            )
        self.parameters = {**self.parameters, **parameters}
        try:
            canonical_json(self.parameters)
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"parameters of {self.name}: {error}") from error

    @cached_property
    def signature(self) -> str:
        """Hash of name, version and parameters."""
        text = canonical_json([self.name, self.version, dict(self.parameters)])
        return hashlib.sha256(text.encode()).hexdigest()

    @abstractmethod
    def process(self, work: Any, run: Run) -> Rows:
        """Do one unit.

        Parameters
        ----------
        work
            Its input: a row; a list of rows where there is ``group_by``; an item of a loader.
        run
            Where files are read and made, and masters found.

        Returns
        -------
        rows
            New rows, yielded or returned: one, many, or none; thousands that belong to one of them
            as `Many`. They are written, with all that `run` made, in one transaction, or not at
            all.
        """

    def write(self, session: Session, rows: Sequence[Any]) -> Tally:
        """Put what finished units have given into the database, in the transaction of their commit.

        Rows are added as they are. A loader whose rows may be known already, or bear on others,
        gives `findings` instead and turns them into rows here.

        Parameters
        ----------
        session
            Writing. The transaction is the kernel's: it may fail, and come again with other units.
        rows
            Of one unit or of many, in any order; what is left behind must not depend on it.

        Returns
        -------
        Tally
            What was written.
        """
        from include.corral.result import Tally

        add_rows(session, rows)
        return Tally().add(rows)

    @classmethod
    def is_partitioned(cls) -> bool:
        """Tell whether a trigger can be for one partition; else it is for everything."""
        return False

    @abstractmethod
    def work(self, corral: Corral, run: OpenRun) -> Work:
        """Give the queue from which a trigger of this draws its units."""

    def classify(self, error: BaseException) -> FailureClass:
        """Class of failure for an error that came out of ``process``."""
        return classify(error)

    def __repr__(self) -> str:
        return f"<{self.name} version {self.version}>"

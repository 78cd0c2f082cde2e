"""Steps: rows that satisfy conditions go in, new rows and files come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import ColumnElement, inspect
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.visitors import iterate

from include.corral.associate import Use
from include.corral.errors import ConfigurationError
from include.corral.processor import Processor
from models.base import Base
from models.product import Derived

if TYPE_CHECKING:
    from include.corral.corral import Corral
    from include.corral.ledger import OpenRun
    from include.corral.work import StepWork


class Step(Processor):
    """One atomic stage of the stream; its docstring says what is true when it is done.

    Attributes
    ----------
    model
        Table whose rows go in; one integer primary key, ``id``.
    conditions
        What rows must satisfy, in columns of `model`: the conditions are the queue. Where `model`
        is made by steps, its superseded rows are never in it.
    ordering
        In which order rows stand in a group. Among units there is none: workers share them.
    group_by
        Columns of `model`: rows with equal values form one unit. Without, each row is one. With
        the column of the partition among them, a unit lies in one partition; without it, units
        cross partitions, and a trigger for one partition works on all.
    uses
        Products that results are made from beside the input, masters for example.

    Examples
    --------
    >>> class Square(Step):                                       # doctest: +SKIP
    ...     "Every reading has its square."
    ...     model = Reading
    ...     def process(self, reading, run):
    ...         yield Squared(reading_id=reading.id, value=reading.value**2)
    """

    model: ClassVar[type[Base]]
    conditions: ClassVar[Sequence[ColumnElement[bool] | InstrumentedAttribute[bool]]] = ()
    ordering: ClassVar[Sequence[Any]] = ()
    group_by: ClassVar[Sequence[InstrumentedAttribute[Any]]] = ()
    uses: ClassVar[Sequence[Use]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if hasattr(cls, "model"):
            keys = [column.key for column in inspect(cls.model).primary_key]
            if keys != ["id"]:
                raise ConfigurationError(
                    f"{cls.name}: {cls.model.__name__} has primary key {keys}; a step's model "
                    "needs one integer primary key called id"
                )
            _refuse_columns_of_others(cls)

    @classmethod
    def is_partitioned(cls) -> bool:
        """Tell whether every unit lies in one partition."""
        column = getattr(cls.model, "partition_column", None)
        return column is not None and (
            not cls.group_by or column in {group.key for group in cls.group_by}
        )

    @classmethod
    def queue(cls) -> tuple[Any, ...]:
        """Give all conditions on the rows that go in."""
        current = (cls.model.current,) if issubclass(cls.model, Derived) else ()
        return (*cls.conditions, *current)

    @property
    def plan_signature(self) -> str:
        """Changes when every row must be looked at anew; which results are stale is seen then.

        A step whose ``configuration`` comes from files adds a hash of the files.
        """
        return self.signature

    def rule(self, use: Use, row: Any) -> Use:
        """Give `use` as it holds for `row`: tolerances of its camera, for example."""
        return use

    def configuration(self, rows: Sequence[Any]) -> Mapping[str, Any]:
        """Give what results depend on beside version, parameters and input, as JSON types."""
        return {}

    def needed(self, rows: Sequence[Any]) -> Sequence[Any]:
        """Give those rows of a unit that its result is made from; the others may come and go."""
        return rows

    def read(self, path: Path, row: Any) -> Any:
        """Read the file of a row, for ``run.read``."""
        return path.read_bytes()

    def work(self, corral: Corral, run: OpenRun) -> StepWork:
        """Give the queue of this step."""
        from include.corral.work import StepWork

        return StepWork(corral, self, run)


def _refuse_columns_of_others(step: type[Step]) -> None:
    """Raise where a condition stands on another table, whose changes the step would not hear of."""
    tables = {getattr(table, "name", None) for table in inspect(step.model).tables}
    for clause in (*step.conditions, *step.group_by):
        for element in iterate(expression_of(clause)):
            table = getattr(element, "table", None)
            if table is not None and table.name not in tables:
                raise ConfigurationError(
                    f"{step.name}: a condition names {element}; conditions and group_by must be "
                    f"in columns of {step.model.__name__} alone, whose changes are listened to"
                )


def expression_of(clause: Any) -> Any:
    """Give the SQL expression that a condition, or an attribute of a model, stands for."""
    return clause.__clause_element__() if hasattr(clause, "__clause_element__") else clause

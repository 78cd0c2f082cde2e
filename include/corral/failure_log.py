"""What the log says of units that failed, so that a thousand equal failures stay readable."""

from __future__ import annotations

import logging
import traceback

from include.corral.errors import FailureClass
from include.corral.result import Result

log = logging.getLogger(__name__)


class FailureLog:
    """Tells of each failed unit of a trigger: with a traceback the first time.

    Parameters
    ----------
    name
        Of the step, loader or alert.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._told: set[str | None] = set()

    def tell(self, result: Result) -> None:
        """Tell of one; what only waits for something is at fault nowhere, and has no traceback."""
        waits = result.failure_class == FailureClass.UPSTREAM_MISSING
        said = "as before" if result.message in self._told else result.message
        if not waits and result.message not in self._told:
            said = f"{said}\n{_trace(result.error)}"
        self._told.add(result.message)
        log.log(
            logging.INFO if waits else logging.WARNING,
            "%s unit %r %s (%s): %s",
            self._name,
            result.claim.key,
            "waits" if waits else "failed",
            result.failure_class,
            said,
        )


def _trace(error: BaseException | None) -> str:
    """Text of a traceback, fit for any log: what an error quotes may come from a file's header."""
    text = "".join(traceback.format_exception(error))
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)

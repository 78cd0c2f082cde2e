"""`python -m corral_ops RULE …`: look at rules and send what waits, once, without a scheduler."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Do it; 0 when every rule could be looked at and every channel used.

    :param arguments: dotted paths of rules; by default those of the process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m corral_ops",
        description="Look at alert rules and send what waits in the outbox, once.",
    )
    parser.add_argument("rules", nargs="*", metavar="RULE", help="include.toritos.alerts.FewStars")
    given = parser.parse_args(arguments)

    from corral_ops.alerts import look_and_tell
    from corral_ops.hook import CorralHook
    from include.corral.errors import CorralError
    from include.corral.trigger import Trigger

    logging.getLogger("include").setLevel(logging.WARNING)
    corral = CorralHook().corral()
    try:
        done = look_and_tell(corral, given.rules, Trigger(), _say)
    except CorralError as error:
        _say(str(error))
        return 1
    finally:
        corral.close()
    return 1 if done["troubles"] else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

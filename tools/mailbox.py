"""`python -m tools.mailbox`: a mail server on this machine that shows each mail, and keeps none.

With a command it runs that, with `smtp_default` leading here, and ends with it:
`python -m tools.mailbox python -m corral_ops include.toritos.alerts.FewStars`. Without one it waits
for mail until Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from tools.airflow_env import LOOPBACK, free_port, smtp_connection
from tools.progress import print_progress
from tools.supervisor import DEFAULT_HOME

PORT = 1025
RULER = "-" * 60


class Mailbox:
    """Shows what it is sent; `with Mailbox(port):` it is open."""

    def __init__(self, port: int) -> None:
        self.port = free_port(port)
        self._controller = Controller(self, hostname=LOOPBACK, port=self.port)

    def __enter__(self) -> Mailbox:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Show a mail; the server calls it."""
        print_progress(shown(envelope.content))
        return "250 OK"


def shown(content: bytes) -> str:
    """Return the mail as a person reads it: some headers, the text, names of what is attached."""
    mail = message_from_bytes(content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    lines = [RULER, *(f"{name}: {mail[name]}" for name in ("From", "To", "Subject", "Message-ID"))]
    body = mail.get_body(("plain",))
    lines += ["", str(body.get_content()).rstrip() if body else "(no text)"]
    lines += [f"(attached: {part.get_filename()})" for part in mail.iter_attachments()]
    return "\n".join([*lines, RULER])


def environment(port: int) -> dict[str, str]:
    """Return what a process needs to send its mail here; what is set already stays."""
    own = {
        "AIRFLOW_HOME": str(DEFAULT_HOME),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "CORRAL_ALERT_TO": "you@example.org",
    }
    return own | dict(os.environ) | {"AIRFLOW_CONN_SMTP_DEFAULT": smtp_connection(port)}


def main(argv: Sequence[str] | None = None) -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.mailbox", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help="another is taken when it is in use")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run meanwhile")
    given = parser.parse_args(argv)
    with Mailbox(given.port) as box:
        if given.command:
            return subprocess.call(given.command, env=environment(box.port))
        print_progress(f"waiting for mail at {LOOPBACK}:{box.port}; Ctrl-C ends it. In a shell:")
        print_progress(f"  export AIRFLOW_CONN_SMTP_DEFAULT='{smtp_connection(box.port)}'")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print_progress("")
    return 0


if __name__ == "__main__":
    sys.exit(main())

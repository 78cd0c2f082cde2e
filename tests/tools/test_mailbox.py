"""A mail server that shows what it gets: for a first rule, and for a look at a message."""

from __future__ import annotations

import os
import smtplib
import sys
from email.message import EmailMessage

from tools.mailbox import Mailbox, environment, main, shown


def mail(**headers: str) -> EmailMessage:
    made = EmailMessage()
    for name, value in ({"From": "a@example.org", "To": "b@example.org"} | headers).items():
        made[name] = value
    made.set_content("Grüße\nzwei\n")
    made.add_alternative("<p>page</p>", subtype="html")
    made.add_attachment(b"<p>report</p>", maintype="text", subtype="html", filename="n.html")
    return made


def test_mail_is_shown_as_a_person_reads_it() -> None:
    """Its text, not its page; attachments by name."""
    lines = shown(mail(Subject="Himmel klar").as_bytes()).splitlines()
    assert "Subject: Himmel klar" in lines
    assert lines[lines.index("Grüße") + 1] == "zwei"
    assert "(attached: n.html)" in lines
    assert not any("page" in line for line in lines)


def test_mail_without_text_is_shown_too() -> None:
    """Whatever is sent."""
    assert "(no text)" in shown(b"Subject: x\r\nContent-Type: image/png\r\n\r\nx")


def test_mail_is_taken_while_it_is_open(capsys) -> None:
    """By anybody on this machine."""
    with Mailbox(0) as box, smtplib.SMTP("127.0.0.1", box.port) as client:
        client.send_message(mail(Subject="first light"))
    assert "Subject: first light" in capsys.readouterr().out


def test_command_runs_with_its_mail_led_here(capfd) -> None:
    """Its status is that of the command; what the shell has set stays set."""
    program = "import os; print(os.environ['AIRFLOW_CONN_SMTP_DEFAULT']); raise SystemExit(3)"
    assert main(["--port", "0", sys.executable, "-c", program]) == 3
    assert '"conn_type": "smtp"' in capfd.readouterr().out


def test_what_is_set_stays(monkeypatch) -> None:
    """Recipients of a site are not replaced; its mail server is."""
    monkeypatch.setenv("CORRAL_ALERT_TO", "me@example.org")
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", "smtp://real.example.org")
    made = environment(7)
    assert made["CORRAL_ALERT_TO"] == "me@example.org"
    assert "real.example.org" not in made["AIRFLOW_CONN_SMTP_DEFAULT"]
    assert made["PATH"] == os.environ["PATH"]

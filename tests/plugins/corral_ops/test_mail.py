"""Mail goes through Airflow's connection, and it is known how far it came."""

from __future__ import annotations

import smtplib
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from corral_ops.mail import EmailChannel, addresses
from include.corral.channel import NotNow, Refused
from include.corral.message import Message
from include.corral.settings import Settings
from models.alert import Alert
from tests.include.corral.channels.conftest import make_message
from tests.mail_office import Office, hang_up, smtp_connection
from tools.airflow_env import free_port


def connect(monkeypatch: pytest.MonkeyPatch, port: int, **more: Any) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", smtp_connection(port, **more))


TO = ["night@example.org", "shift@example.org"]


@pytest.fixture
def office(mailbox: Office) -> Office:
    return mailbox


def test_mail_is_text_and_a_page_of_the_same_text(office: Office) -> None:
    """With the Message-ID of the message, and the time of its cause."""
    message = make_message("Büro {{ 7*7 }}", "a <b>bold</b>\n.\n\nend")
    EmailChannel(to=TO).send(message)
    (mail,) = office.mails
    assert mail["Message-ID"] == message.message_id
    assert mail["To"] == ", ".join(TO)
    assert mail["Date"].startswith("Fri, 20 Nov 2026 00:00:00")
    text, page = (part.get_payload(decode=True).decode() for part in mail.get_payload())
    assert text.replace("\r\n", "\n") == "a <b>bold</b>\n.\n\nend\n"
    assert "a &lt;b&gt;bold&lt;/b&gt;" in page


def test_attempts_at_one_message_are_the_same_mail(office: Office) -> None:
    """But for the border between its parts, byte by byte."""
    for _ in range(2):
        EmailChannel(to=TO, plain=True).send(make_message())
    first, second = (mail.as_bytes() for mail in office.mails)
    assert first == second


def test_gateway_to_sms_gets_a_short_plain_text(office: Office) -> None:
    """A telephone shows no page."""
    EmailChannel(to="549@sms.example", plain=True, max_chars=20).send(make_message(body="x" * 99))
    (mail,) = office.mails
    assert not mail.is_multipart()
    assert mail.get_payload(decode=True).decode().strip() == "x" * 20


@pytest.mark.parametrize(
    ("command", "said"),
    [("MAIL", "451 later"), (TO[1], "450 grey list"), ("DATA", "452 disk full")],
)
def test_server_that_says_later_has_not_taken_it(office: Office, command, said) -> None:
    """One address that may be taken later means all of them later: nobody gets it twice."""
    office.answers[command] = said
    with pytest.raises(NotNow, match=said[:3]):
        EmailChannel(to=TO).send(make_message())
    assert office.mails == []


@pytest.mark.parametrize(("command", "said"), [("MAIL", "550 no"), ("DATA", "554 spam")])
def test_server_that_says_never_refuses_it(office: Office, command, said) -> None:
    """What it says is in the error."""
    office.answers[command] = said
    with pytest.raises(Refused, match=said[:3]):
        EmailChannel(to=TO).send(make_message())


def test_address_that_is_not_known_keeps_nobody_else_from_it(office: Office) -> None:
    """With none that is known it is refused."""
    office.answers[TO[0]] = "550 unknown"
    EmailChannel(to=TO).send(make_message())
    assert len(office.mails) == 1
    office.answers[TO[1]] = "550 unknown"
    with pytest.raises(Refused, match="knows no address"):
        EmailChannel(to=TO).send(make_message())


def test_line_that_breaks_before_the_text_is_certain(office: Office) -> None:
    """The server cannot have it."""
    office.answers[TO[0]] = hang_up
    with pytest.raises(NotNow):
        EmailChannel(to=TO).send(make_message())


def test_line_that_breaks_after_the_text_leaves_it_open(office: Office) -> None:
    """The server may have it, and here it has."""
    office.answers["DATA"] = hang_up
    with pytest.raises((smtplib.SMTPException, OSError)):
        EmailChannel(to=TO).send(make_message())
    assert len(office.mails) == 1


def test_line_that_breaks_in_the_text_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the final dot nothing was taken, but who sends cannot know how far it came."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        speaking = threading.Thread(target=hang_up_in_the_text, args=(listening,))
        speaking.start()
        connect(monkeypatch, listening.getsockname()[1])
        with pytest.raises((smtplib.SMTPException, OSError)):
            EmailChannel(to=TO).send(make_message(body="x" * 1_000_000))
        speaking.join()


def hang_up_in_the_text(listening: socket.socket) -> None:
    """Speak SMTP up to the text, take some of it, and be gone."""
    line, _ = listening.accept()
    with line, line.makefile("rb") as lines:
        line.sendall(b"220 here\r\n")
        for said in lines:
            if said.upper().startswith(b"DATA"):
                line.sendall(b"354 go on\r\n")
                line.recv(1000)
                return
            line.sendall(b"250 OK\r\n")


def test_server_that_is_away_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there."""
    connect(monkeypatch, free_port())
    with pytest.raises(NotNow, match="refused"):
        EmailChannel(to=TO).send(make_message())


@pytest.mark.parametrize(
    "more", [{"disable_ssl": False}, {"disable_tls": False}, {"login": "a", "password": "b"}]
)
def test_server_that_cannot_do_what_is_asked_is_certain(office, monkeypatch, more) -> None:
    """No TLS, no STARTTLS, no log-in there: nothing is sent without."""
    connect(monkeypatch, office.port, **more)
    with pytest.raises(NotNow):
        EmailChannel(to=TO).send(make_message())
    assert office.mails == []


@pytest.fixture
def own_certificate(tmp_path: Path) -> ssl.SSLContext:
    """A server's side of TLS with a certificate that it made itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem, encoding = tmp_path / "server.pem", serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    pem.write_bytes(private + made.public_bytes(encoding))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@pytest.mark.parametrize(
    ("server", "connection"),
    [("ssl_context", {"disable_ssl": False}), ("tls_context", {"disable_tls": False})],
    ids=["TLS", "STARTTLS"],
)
def test_server_whose_certificate_nobody_vouches_for_gets_nothing(
    own_certificate, monkeypatch, server, connection
) -> None:
    """Somebody may stand between; a site that wants it so says so in the connection."""
    with Office(**{server: own_certificate}) as office:
        connect(monkeypatch, office.port, **connection)
        with pytest.raises(NotNow, match="certificate"):
            EmailChannel(to=TO).send(make_message())
        assert office.mails == []
        connect(monkeypatch, office.port, ssl_context="none", **connection)
        EmailChannel(to=TO).send(make_message())
        assert len(office.mails) == 1


# The server warns of what is wanted here: a password without TLS, on loopback.
NO_TLS = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


@NO_TLS
def test_server_that_refuses_the_password_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is the password told to anybody; with the right one the mail goes out."""

    def know(_server: Any, _session: Any, _envelope: Any, _kind: str, given: Any) -> AuthResult:
        return AuthResult(success=given.password == b"right", handled=False)

    how = {"authenticator": know, "auth_required": True, "auth_require_tls": False}
    with Office(**how) as office:
        connect(monkeypatch, office.port, login="corral", password="hunter2")
        with pytest.raises(NotNow, match="535") as caught:
            EmailChannel(to=TO).send(make_message())
        assert "hunter2" not in str(caught.value)
        assert office.mails == []
        connect(monkeypatch, office.port, login="corral", password="right")
        EmailChannel(to=TO).send(make_message())
        assert len(office.mails) == 1


@NO_TLS
def test_server_that_wants_a_password_gets_nothing_without(monkeypatch) -> None:
    """It says so when the sender is named."""
    how = {"authenticator": lambda *_: None, "auth_required": True, "auth_require_tls": False}
    with Office(**how) as office:
        connect(monkeypatch, office.port)
        with pytest.raises((NotNow, Refused), match="530"):
            EmailChannel(to=TO).send(make_message())
        assert office.mails == []


def test_server_that_says_nothing_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-out is the connection's."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connect(monkeypatch, silent.getsockname()[1], timeout=1)
        with pytest.raises(NotNow):
            EmailChannel(to=TO).send(make_message())


HOSTILE = "M31\r\nBcc: all@example.org\x1b[31m <script>alert(1)</script> {{ 7*7 }} \udcff"


def test_hostile_text_arrives_as_text(office: Office) -> None:
    """It adds no header, no markup, and cannot keep the mail from going out."""
    from include.corral.outbox import one_line, printable

    alert = make_message().alerts[0]
    hostile = Alert(**{name: getattr(alert, name) for name in ("id", "rule", "severity")})
    hostile.dedup_key, hostile.created_at, hostile.context = "k", alert.created_at, {}
    hostile.subject, hostile.body = one_line(HOSTILE), printable(HOSTILE * 20_000)
    EmailChannel(to=TO).send(Message([hostile]))
    (mail,) = office.mails
    assert mail["Bcc"] is None
    assert len(mail.as_bytes()) < 400_000
    page = mail.get_payload(1).get_payload(decode=True).decode()
    assert "<script>" not in page
    assert "{{ 7*7 }}" in page


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A folder with a page, and a secret beside it."""
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "2026-11-20.html").write_text("<p>ü</p>" * 1000, encoding="utf-8")
    (tmp_path / "secret.html").write_text("hunter2")
    return folder


def send_with(reports: Path, *names: object, **options: Any) -> None:
    """Mail an alert, or several, whose contexts name a report each."""
    channel = EmailChannel(to=TO, **{"attach": "report"} | options)
    channel.settings = Settings.below(reports.parent)
    channel.send(Message([make_message(f"{n}", report=n).alerts[0] for n in names]))


def attached(office: Office) -> dict[str, bytes]:
    (mail,) = office.mails
    return {
        str(part.get_filename()): part.get_payload(decode=True)
        for part in mail.walk()
        if part.get_content_disposition() == "attachment"
    }


def test_report_is_attached_where_the_site_says_so(office: Office, reports: Path) -> None:
    """Beside text and page; otherwise the text has its link."""
    send_with(reports, "2026-11-20.html")
    page = (reports / "2026-11-20.html").read_bytes()
    assert attached(office) == {"2026-11-20.html": page}
    office.mails.clear()
    send_with(reports, "2026-11-20.html", attach="")
    assert attached(office) == {}


def test_report_that_is_too_large_stays_a_link(office: Office, reports: Path) -> None:
    """The mail goes out without it; of several, what fits is attached."""
    (reports / "small.html").write_text("small")
    send_with(reports, "2026-11-20.html", "small.html", "small.html", attach_kb=2)
    assert attached(office) == {"small.html": b"small"}


@pytest.mark.parametrize(
    "name", ["../secret.html", "/etc/passwd", "gone.html", "no\0name.html", "link.html", "", 7]
)
def test_nothing_but_a_page_of_the_folder_is_ever_attached(office, reports, name) -> None:
    """Nor does it keep the mail from going out."""
    (reports / "link.html").symlink_to(reports.parent / "secret.html")
    send_with(reports, name)
    assert attached(office) == {}


def test_what_else_may_be_attached_is_refused() -> None:
    """When the file of channels is read."""
    with pytest.raises(ValueError, match="known is report"):
        EmailChannel(to=TO, attach="everything")


def test_without_addresses_it_says_what_to_set() -> None:
    """There is no default one."""
    with pytest.raises(NotNow, match="CORRAL_ALERT_TO"):
        EmailChannel(to="").send(make_message())


@pytest.mark.parametrize("to", ["a@x.org, b@x.org", "a@x.org;b@x.org", ["a@x.org", "b@x.org"]])
def test_addresses_are_a_list_or_a_line(to) -> None:
    """As files of channels and environments have them."""
    assert addresses(to) == ["a@x.org", "b@x.org"]

"""What is signed is taken in, once; everybody who may open the page sees it."""

import hashlib
import hmac
import json
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from receiver.models import Message

SHOWN = 100
SEVERITIES = ("info", "warning", "critical")


@csrf_exempt  # the signature says who it is from
@require_POST
def hook(request: HttpRequest) -> HttpResponse:
    """Take a message in: 201 when it is new, 409 when it is here already."""
    if not _is_signed(request):
        return HttpResponse("no valid signature\n", status=401)
    message = _read(request)
    _row, is_new = Message.objects.get_or_create(
        message_id=message.pop("message_id"), defaults=message
    )
    return HttpResponse(status=201 if is_new else 409)


@require_GET
def show(request: HttpRequest) -> HttpResponse:
    """Show the messages, the newest first."""
    response = render(request, "alerts.html", {"messages": Message.objects.all()[:SHOWN]})
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response


def _is_signed(request: HttpRequest) -> bool:
    key = settings.CORRAL_WEBHOOK_SECRET.encode()
    if not key:
        return False
    wanted = f"sha256={hmac.new(key, request.body, hashlib.sha256).hexdigest()}"
    # Compared in a time that does not tell how much of it is right.
    given = request.headers.get("X-Corral-Signature", "")
    return hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace"))


def _read(request: HttpRequest) -> dict[str, Any]:
    """Give the columns of the row; only those, whatever else the message says."""
    try:
        body = json.loads(request.body)
        texts = {name: str(body[name]) for name in ("message_id", "severity", "subject", "text")}
        alerts = list(body["alerts"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"no message of Corral: {error}") from error
    if texts["severity"] not in SEVERITIES:
        raise BadRequest("no severity of Corral")
    return {**texts, "alerts": alerts}

"""Webhook: posted messages, their signature, and the handling of each kind of answer."""

import base64
import hashlib
import hmac

import pytest

from ledger_pipelines.notifications.webhook import DeliveryError, Webhook, signature, webhook_from_settings
from ledger_pipelines.settings import Settings
from ledger_pipelines_tests.support.servers import free_port
from ledger_pipelines_tests.support.webhook_receiver import SECRET, Receiver

BODY = '{"name": "Bu Siti ☂"}'.encode()


def test_a_receiver_can_verify_a_message(receiver: Receiver) -> None:
    Webhook(receiver.url, SECRET).post("b7c1", 1_760_000_000, BODY)
    (message,) = receiver.received
    assert (message.path, message.body) == ("/alerts?of=balances", BODY)
    headers = message.headers
    assert headers["content-type"] == "application/json"
    # The verification that docs/operations.md describes.
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + message.body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert hmac.compare_digest(headers["webhook-signature"], f"v1,{expected}")


def test_id_time_and_body_are_signed() -> None:
    signatures = {
        signature(SECRET, "a", 1, b"{}"),
        signature(SECRET, "b", 1, b"{}"),
        signature(SECRET, "a", 2, b"{}"),
        signature(SECRET, "a", 1, b"[]"),
        signature(SECRET + "x", "a", 1, b"{}"),
    }
    assert len(signatures) == 5


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_accepted_statuses(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    Webhook(receiver.url, SECRET).post("1", 1, BODY)
    assert [message.body for message in receiver.received] == [BODY]


@pytest.mark.parametrize(
    ("answer", "message", "affects_all"),
    [
        (400, "status 400: what the receiver says$", False),
        (422, "status 422", False),
        (401, "status 401", True),
        (404, "status 404", True),
        (429, "status 429", True),
        (500, "status 500", True),
        (503, "status 503", True),
        ("https://elsewhere.example.com/x", "redirects to https://elsewhere.example.com/x: set LEDGER_ALERT", True),
        ("hang up", "closed the connection without an answer", True),
        ("silence", "no answer within 1 seconds", True),
        ("drip", "no answer within 1 seconds", True),
    ],
)
def test_answers_that_are_not_accepted(receiver: Receiver, answer: int | str, message: str, affects_all: bool) -> None:
    receiver.answers = [answer]
    with pytest.raises(DeliveryError, match=message) as caught:
        Webhook(receiver.url, SECRET, timeout_seconds=1).post("1", 1, BODY)
    assert caught.value.affects_all is affects_all
    assert len(receiver.received) == 1
    assert "\x00" not in str(caught.value)


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answers = [receiver.url]
    with pytest.raises(DeliveryError, match="redirects"):
        Webhook(receiver.url, SECRET).post("1", 1, BODY)
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    ("host", "message"), [("127.0.0.1", "refuses connections"), ("no-such-host.invalid", "receiver's host is unknown")]
)
def test_an_unreachable_receiver(host: str, message: str) -> None:
    url = f"http://{host}:{free_port()}/x"
    with pytest.raises(DeliveryError, match=message) as caught:
        Webhook(url, SECRET, timeout_seconds=5).post("1", 1, BODY)
    assert caught.value.affects_all


def test_https_to_a_server_without_tls_fails(receiver: Receiver) -> None:
    with pytest.raises(DeliveryError) as caught:
        Webhook(receiver.url.replace("http", "https"), SECRET, timeout_seconds=5).post("1", 1, BODY)
    assert "SSL" in str(caught.value)


def test_the_repr_hides_url_and_secret() -> None:
    assert repr(Webhook("https://host/hidden", SECRET)) == "Webhook(timeout_seconds=10)"


def test_a_webhook_needs_url_and_secret() -> None:
    assert webhook_from_settings(Settings()) is None
    assert webhook_from_settings(Settings(alert_webhook_secret=SECRET)) is None
    named = Settings(alert_webhook_url="https://host/x", alert_webhook_secret=SECRET)
    assert webhook_from_settings(named) == Webhook("https://host/x", SECRET)

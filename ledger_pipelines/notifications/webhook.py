"""Webhook: JSON posted to a URL with a signature, which lets the receiver reject forged and replayed messages.

The headers and the signature follow Standard Webhooks (https://www.standardwebhooks.com): the HMAC-SHA256 of
``id.timestamp.body``. docs/operations.md describes how a receiver verifies it.
"""

import base64
import hashlib
import hmac
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ledger_pipelines.settings import Settings

#: Timeout of connecting, and of each wait for an answer.
TIMEOUT_SECONDS = 10
_ACCEPTED = range(200, 300)
_REDIRECTED = range(300, 400)
#: Statuses that mean that the receiver accepts no message for now, rather than refusing this message.
_UNAVAILABLE = (401, 403, 404, 408, 410, 429)
_SHOWN_LENGTH = 200


class DeliveryError(Exception):
    """The receiver has not accepted a message; the text gives the reason.

    Attributes:
        affects_all: Whether other messages would fail too, because the receiver is unavailable or refuses everything.
    """

    def __init__(self, reason: str, *, affects_all: bool) -> None:
        super().__init__(reason.replace("\x00", ""))  # PostgreSQL cannot store NUL
        self.affects_all = affects_all


@dataclass(frozen=True)
class Webhook:
    """Receiver of messages.

    Attributes:
        url: The URL, http or https; it may be secret.
        secret: Key of the signatures.
        timeout_seconds: Timeout of connecting, and of each wait for an answer; a whole request may take twice as long.
    """

    url: str = field(repr=False)
    secret: str = field(repr=False)
    timeout_seconds: int = TIMEOUT_SECONDS

    def post(self, message_id: str, timestamp: int, body: bytes) -> None:
        """Post a message.

        Args:
            message_id: Id of the message, the same for every attempt.
            timestamp: Time of this attempt, in seconds since 1970. Receivers refuse old times, against replays.
            body: JSON in UTF-8.

        Raises:
            DeliveryError: The receiver did not confirm that it accepted the message.
        """
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "ledger-pipelines",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self.secret, message_id, timestamp, body),
        }
        try:
            status, answer, location = self._exchange(body, headers)
        except TimeoutError:
            raise DeliveryError(f"no answer within {self.timeout_seconds} seconds", affects_all=True) from None
        except (OSError, http.client.HTTPException) as error:
            raise DeliveryError(_connection_problem(error), affects_all=True) from None
        if status in _ACCEPTED:
            return
        if status in _REDIRECTED:
            # A redirect is not followed, because a message must not reach another receiver than the configured one.
            target = location[:_SHOWN_LENGTH] or "no address"
            reason = f"the receiver redirects to {target}: set LEDGER_ALERT_WEBHOOK_URL to that address"
            raise DeliveryError(f"status {status}: {reason}", affects_all=True)
        raise DeliveryError(
            f"status {status}: {answer}".rstrip(": "), affects_all=status >= 500 or status in _UNAVAILABLE
        )

    def _exchange(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, str]:
        """Post, and return the status, the start of the answer, and the address of a redirect."""
        url = urlsplit(self.url)
        secure = url.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(url.hostname or "", url.port, timeout=self.timeout_seconds)
        with closing(connection), _time_limit(connection, 2 * self.timeout_seconds):
            connection.request("POST", (url.path or "/") + (f"?{url.query}" if url.query else ""), body, dict(headers))
            response = connection.getresponse()
            answer = response.read(_SHOWN_LENGTH).decode("utf-8", "replace")
            return response.status, " ".join(answer.replace("\x00", "").split()), response.getheader("Location", "")


def webhook_from_settings(settings: Settings) -> Webhook | None:
    """Return the webhook of the settings; None if none is set."""
    url, secret = settings.alert_webhook_url, settings.alert_webhook_secret
    if url is None or secret is None:
        return None
    return Webhook(url.get_secret_value(), secret.get_secret_value())


@contextmanager
def _time_limit(connection: http.client.HTTPConnection, seconds: int) -> Iterator[None]:
    """Limit the total time of a request, because a receiver that sends a byte now and then never times out.

    Raises:
        TimeoutError: The time was up, even if the request had finished by then.
    """
    late = threading.Event()

    def hang_up() -> None:
        late.set()
        with suppress(OSError):
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, hang_up)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if late.is_set():
            raise TimeoutError


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a message: version 1, the HMAC-SHA256 in base64."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _connection_problem(error: OSError | http.client.HTTPException) -> str:
    """Return the reason of a failed request, without the URL, which may be secret."""
    if isinstance(error, socket.gaierror):
        return "the receiver's host is unknown"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the receiver's certificate cannot be trusted: {error.verify_message}"
    if isinstance(error, ConnectionRefusedError):
        return "the receiver refuses connections"
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError):
        return "the receiver closed the connection without an answer"
    return f"{type(error).__name__}: {error}"[:_SHOWN_LENGTH]

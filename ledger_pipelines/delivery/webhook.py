"""A webhook: JSON posted to a URL, signed so that the receiver can tell it from anybody else's, and from an old one.

The headers and the signature are those of Standard Webhooks (https://www.standardwebhooks.com): the HMAC-SHA256 of
``id.timestamp.body``. docs/operations.md says how a receiver checks it.
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

#: For connecting, and for each wait for an answer.
TIMEOUT_SECONDS = 10
_ACCEPTED = range(200, 300)
_REDIRECTED = range(300, 400)
#: Answers by which a receiver refuses everything for now, rather than this one message.
_NOT_NOW = (401, 403, 404, 408, 410, 429)
_SHOWN = 200


class DeliveryError(Exception):
    """The receiver has not accepted a message; the message says why.

    Attributes:
        whole: True if others would not be accepted either: nobody answers, or not now.
    """

    def __init__(self, reason: str, *, whole: bool) -> None:
        super().__init__(reason.replace("\x00", ""))  # which PostgreSQL cannot store
        self.whole = whole


@dataclass(frozen=True)
class Webhook:
    """Where messages are posted to.

    Attributes:
        url: The URL, http or https; it may be secret.
        secret: What messages are signed with.
        timeout_seconds: For connecting, and for each wait for an answer; the whole may take twice as long.
    """

    url: str = field(repr=False)
    secret: str = field(repr=False)
    timeout_seconds: int = TIMEOUT_SECONDS

    def post(self, message_id: str, timestamp: int, body: bytes) -> None:
        """Post a message.

        Args:
            message_id: Names the message, however often it is posted.
            timestamp: Seconds since 1970, now: receivers refuse what is old, since somebody may have kept it.
            body: JSON in UTF-8.

        Raises:
            DeliveryError: the receiver has not accepted it, as far as can be told.
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
            raise DeliveryError(f"no answer within {self.timeout_seconds} seconds", whole=True) from None
        except (OSError, http.client.HTTPException) as error:
            raise DeliveryError(_in_words(error), whole=True) from None
        if status in _ACCEPTED:
            return
        if status in _REDIRECTED:
            # Not followed: what is signed for one receiver is no other's business.
            reason = f"it redirects to {location[:_SHOWN] or 'nowhere'}: set that as LEDGER_ALERT_WEBHOOK_URL"
            raise DeliveryError(f"status {status}: {reason}", whole=True)
        raise DeliveryError(f"status {status}: {answer}".rstrip(": "), whole=status >= 500 or status in _NOT_NOW)

    def _exchange(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, str, str]:
        """Post, and return the status, the beginning of the answer, and where it redirects to."""
        url = urlsplit(self.url)
        secure = url.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(url.hostname or "", url.port, timeout=self.timeout_seconds)
        with closing(connection), _cut_off(connection, 2 * self.timeout_seconds):
            connection.request("POST", (url.path or "/") + (f"?{url.query}" if url.query else ""), body, dict(headers))
            response = connection.getresponse()
            answer = response.read(_SHOWN).decode("utf-8", "replace")
            return response.status, " ".join(answer.replace("\x00", "").split()), response.getheader("Location", "")


def webhook_of(settings: Settings) -> Webhook | None:
    """The webhook that the settings name; None if they name none."""
    url, secret = settings.alert_webhook_url, settings.alert_webhook_secret
    if url is None or secret is None:
        return None
    return Webhook(url.get_secret_value(), secret.get_secret_value())


@contextmanager
def _cut_off(connection: http.client.HTTPConnection, seconds: int) -> Iterator[None]:
    """Hang up after so many seconds: a receiver that sends a byte now and then never times out of itself.

    Raises:
        TimeoutError: it came to that, whatever was read until then.
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
    """The signature of a message: version 1, the HMAC-SHA256 in base64."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _in_words(error: OSError | http.client.HTTPException) -> str:
    """What went wrong on the way, without the URL."""
    if isinstance(error, socket.gaierror):
        return "its host is unknown"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError):
        return "it hung up without an answer"
    return f"{type(error).__name__}: {error}"[:_SHOWN]

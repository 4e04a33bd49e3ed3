"""Rules that refuse requests to Dagster's web server: pure functions of headers and query string.

The rules protect against pages that a browser opens, not against programs: Dagster's web server has no log-in.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import ip_address

from graphql import GraphQLError, OperationDefinitionNode, OperationType, parse
from graphql.language import FragmentDefinitionNode
from starlette.requests import HTTPConnection

from ledger_pipelines.serving.dagster.graphql import connectable_host
from ledger_pipelines.settings import Settings, variable_name

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
_GRAPHQL = "/graphql"
_LONGEST_SHOWN = 100
_UI_HOST, _UI_ORIGINS = variable_name("ui_host"), variable_name("ui_origins")


class Rule(Enum):
    """Rule that a refused request breaks."""

    HOST = auto()
    ORIGIN = auto()
    SITE = auto()
    QUERY = auto()


@dataclass(frozen=True)
class Refusal:
    """The rule that a request breaks, and one sentence for the client and the log."""

    rule: Rule
    sentence: str


@dataclass(frozen=True)
class AccessRules:
    """Rules for requests, derived from the settings.

    Attributes:
        host: The host name or address that the server listens on, as a URL shows it.
        origins: The origins under which a proxy shows the UI.
    """

    host: str
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> "AccessRules":
        """Return the rules for the settings; with a wildcard listen address, only loopback hosts are allowed."""
        return cls(connectable_host(settings.ui_host).lower(), frozenset(settings.trusted_ui_origins))

    def refusal(self, request: HTTPConnection) -> Refusal | None:
        """Return why a request, or a WebSocket's handshake, is refused; None if it is allowed.

        Requests without Origin and Sec-Fetch headers pass: browsers send these headers, programs do not.
        """
        headers = request.headers
        hosts = [value.lower() for value in headers.getlist("host")]
        if len(hosts) != 1 or not (self._is_direct(hosts[0]) or self._is_proxied(hosts[0])):
            allowed = f"neither loopback, nor {_UI_HOST}, nor of an origin in {_UI_ORIGINS}"
            return Refusal(Rule.HOST, f"Refused: the host {_shown(hosts)} is {allowed}.")
        foreign = [origin for origin in headers.getlist("origin") if not self._is_own(origin, hosts[0])]
        if foreign:
            allowed = f"neither the web server's own nor in {_UI_ORIGINS}"
            return Refusal(Rule.ORIGIN, f"Refused: the page's origin {_shown(foreign)} is {allowed}.")
        if _comes_from_another_site(request) and not _is_link(request):
            return Refusal(Rule.SITE, "Refused: a page of another origin may link here, but not load, frame or call.")
        if not _is_post(request) and _may_change_something(request):
            return Refusal(
                Rule.QUERY,
                "Refused: only a POST may contain GraphQL that is not a query; send mutations by POST.",
            )
        return None

    def _is_direct(self, host: str) -> bool:
        """Return whether a Host header names loopback or the host that the server listens on."""
        name = _name_of(host)
        return name is not None and (name == self.host or name == "localhost" or _is_loopback(name))

    def _is_proxied(self, host: str) -> bool:
        """Return whether a Host header names the host of a proxy's origin, with any port."""
        name = _name_of(host)
        return name is not None and name in {_name_of(origin.partition("://")[2]) for origin in self.origins}

    def _is_own(self, origin: str, host: str) -> bool:
        """Return whether an Origin header names a page of this server, opened directly or by a proxy."""
        return origin in self.origins or (self._is_direct(host) and origin == f"http://{host}")


def _name_of(host: str) -> str | None:
    """Return the name or address in a Host header without its port; None if the header is malformed."""
    match = _HOST.fullmatch(host)
    return match[1] if match else None


def _is_loopback(name: str) -> bool:
    """Return whether a name of a URL is a loopback address; addresses of version 6 are in brackets."""
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _comes_from_another_site(request: HTTPConnection) -> bool:
    """Return whether the browser reports another origin as the request's source, including the same site."""
    return any(value not in {"same-origin", "none"} for value in request.headers.getlist("sec-fetch-site"))


def _is_link(request: HTTPConnection) -> bool:
    """Return whether the request opens a page in a tab; other pages cannot read the response."""
    headers = request.headers
    return (
        request.scope.get("method") in {"GET", "HEAD"}
        and headers.getlist("sec-fetch-mode") == ["navigate"]
        and headers.getlist("sec-fetch-dest") == ["document"]
    )


def _is_post(request: HTTPConnection) -> bool:
    """Return whether the request is a POST; every browser sends Origin with a POST from another page."""
    return request.scope.get("method") == "POST"


def _may_change_something(request: HTTPConnection) -> bool:
    """Return whether the query string holds GraphQL that is not provably only queries.

    The path check is looser than Dagster's routes, which also match a path with a trailing line break.
    """
    graphql = request.query_params.getlist("query") if _GRAPHQL in request.scope["path"] else []
    return not all(map(_is_only_queries, graphql))


def _is_only_queries(text: str) -> bool:
    """Return whether every operation of a GraphQL document is a query."""
    try:
        definitions = parse(text, no_location=True).definitions
    except GraphQLError:
        return False
    return all(
        isinstance(definition, FragmentDefinitionNode)
        or (isinstance(definition, OperationDefinitionNode) and definition.operation is OperationType.QUERY)
        for definition in definitions
    )


def _shown(values: list[str]) -> str:
    """Return header values for a response and a log line: quoted, escaped, shortened."""
    return ascii(", ".join(values)[:_LONGEST_SHOWN])

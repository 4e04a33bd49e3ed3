"""The rules in isolation: allowed hosts, origins and GraphQL documents, and the messages of refusals."""

from ipaddress import IPv4Address, ip_address
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from ledger_pipelines.serving.dagster_ui.rules import AccessRules, Refusal, Rule
from ledger_pipelines_tests.serving.dagster_ui.conftest import HOST, OWN, PROXY, rules_of

DEFAULT = AccessRules("127.0.0.1", frozenset())
OPERATIONS = {
    "{ version }": True,
    "query A { version }": True,
    "query B($x: Int) { version @skip(if: false) }": True,
    "fragment F on Query { version }": True,
    "mutation M { a }": False,
    "subscription S { a }": False,
    "type T { a: Int }": False,
    "extend schema { mutation: T }": False,
    "}": False,
}
HEADER = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"))


def refusal(rules: AccessRules, *headers: tuple[str, str], method: str = "GET", query: str = "") -> Refusal | None:
    """Return the rules' refusal of a request to the UI's GraphQL; None if it is allowed."""
    return rules.refusal(
        HTTPConnection(
            {
                "type": "http",
                "method": method,
                "path": "/graphql",
                "query_string": query.encode(),
                "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
            }
        )
    )


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:3000", "127.1.2.3:80", "localhost", "LocalHost:8080", "[::1]", "[::1]:3000", "[0:0::1]:1"],
)
def test_loopback_is_allowed_by_any_name_and_port(host: str) -> None:
    assert refusal(DEFAULT, ("Host", host)) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:3000", "127.0.0.1.evil.example", "localhost.evil.example", "evil-localhost",
        "0.0.0.0:3000", "[::]:3000", "128.0.0.1", "10.0.0.1:3000", "[::2]", "", ":3000", "127.0.0.1:", "127.0.0.1:x",
        "evil.example@127.0.0.1", "127.0.0.1@evil.example", "127.0.0.1:3000@evil.example", "127.0.0.1/", "127.0.0.1 ",
        "127.0.0.1,evil.example", "127.0.0.1\tevil.example", "[::1", "::1", "127.0.0.1:3000#", "dagster.example.com",
    ],
)  # fmt: skip
def test_any_other_host_is_refused(host: str) -> None:
    found = refusal(DEFAULT, ("Host", host))
    assert found is not None
    assert found.rule is Rule.HOST


def test_exactly_one_host_is_needed() -> None:
    assert refusal(DEFAULT) is not None
    assert refusal(DEFAULT, ("Host", HOST), ("Host", HOST)) is not None
    assert refusal(DEFAULT, ("Host", HOST), ("Host", "evil.example")) is not None


@pytest.mark.parametrize(
    ("ui_host", "allowed", "others"),
    [
        ("dagster.lan", ["dagster.lan:3000", "Dagster.LAN"], ["lan", "evil.dagster.lan"]),
        ("10.0.0.5", ["10.0.0.5:3000"], ["10.0.0.6:3000"]),
        ("fe80::5", ["[fe80::5]:3000"], ["[fe80::6]:3000"]),
        (str(IPv4Address(0)), [], ["0.0.0.0:3000", "10.0.0.5:3000", "dagster.lan"]),
        ("::", [], ["[::]:3000", "10.0.0.5:3000"]),
    ],
)
def test_the_listen_host_is_allowed(ui_host: str, allowed: list[str], others: list[str]) -> None:
    rules = rules_of(ui_host=ui_host)
    for host in [*allowed, HOST]:
        assert refusal(rules, ("Host", host), ("Origin", f"http://{host.lower()}")) is None, host
    for host in others:
        assert refusal(rules, ("Host", host)) is not None, host


def test_configured_origins_are_allowed_with_their_hosts_only() -> None:
    rules = rules_of(ui_origins=f"{PROXY}, http://[2001:db8::1]:8080")
    for host, origin in [
        ("dagster.example.com", PROXY),
        ("dagster.example.com:443", PROXY),
        ("[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
        (HOST, PROXY),
        (HOST, OWN),
    ]:
        assert refusal(rules, ("Host", host), ("Origin", origin)) is None, (host, origin)
    for host, origin in [
        ("dagster.example.com", "http://dagster.example.com"),  # without TLS, so open to tampering in transit
        ("dagster.example.com", "https://dagster.example.com:8443"),
        ("dagster.example.com", "https://evil.dagster.example.com"),
        ("dagster.example.com", OWN),
        ("example.com", PROXY),
    ]:
        assert refusal(rules, ("Host", host), ("Origin", origin)) is not None, (host, origin)


@given(HEADER)
def test_no_other_origin_is_allowed(origin: str) -> None:
    found = refusal(DEFAULT, ("Host", HOST), ("Origin", origin), method="POST")
    assert (found is None) == (origin == OWN)


@given(HEADER | st.ip_addresses().map(str) | st.ip_addresses(v=4, network="127.0.0.0/8").map(str))
def test_no_other_host_is_allowed(host: str) -> None:
    try:
        address = ip_address(host)
        local = isinstance(address, IPv4Address) and str(address).startswith("127.")
    except ValueError:
        local = host.lower() == "localhost"
    assert (refusal(DEFAULT, ("Host", host)) is None) == local


@pytest.mark.parametrize(("operation", "is_query"), OPERATIONS.items())
def test_operations_other_than_queries_are_refused(operation: str, is_query: bool) -> None:
    assert (refusal(DEFAULT, ("Host", HOST), query=f"query={quote(operation)}") is None) == is_query
    repeated = "&".join(f"query={quote(text)}" for text in (operation, "{ version }"))
    assert (refusal(DEFAULT, ("Host", HOST), query=repeated) is None) == is_query
    assert refusal(DEFAULT, ("Host", HOST), query=repeated, method="POST") is None


@given(st.lists(st.sampled_from(list(OPERATIONS)), min_size=1, max_size=4))
def test_documents_with_anything_but_queries_are_refused(operations: list[str]) -> None:
    found = refusal(DEFAULT, ("Host", HOST), query=f"query={quote(' '.join(operations))}")
    assert (found is None) == all(OPERATIONS[operation] for operation in operations)


@pytest.mark.parametrize("document", ["", "#", "{a" * 10_000, "mutatio%6E%20%7Ba%7D", "%EF%BB%BFmutation{a}"])
def test_documents_that_are_not_provably_queries_are_refused(document: str) -> None:
    found = refusal(DEFAULT, ("Host", HOST), query=f"query={document}")
    assert found is not None
    assert found.rule is Rule.QUERY


def test_a_refusal_names_the_setting_and_escapes_the_header() -> None:
    host = refusal(DEFAULT, ("Host", "evil.example:3000"))
    assert host == Refusal(
        Rule.HOST,
        "Refused: the host 'evil.example:3000' is neither loopback, nor LEDGER_UI_HOST, nor of an origin in "
        "LEDGER_UI_ORIGINS.",
    )
    origin = refusal(DEFAULT, ("Host", HOST), ("Origin", "https://evil\x1b[2J\xe9" + "x" * 1000))
    assert origin is not None
    assert origin.sentence.startswith("Refused: the page's origin 'https://evil\\x1b[2J\\xe9xxx")
    assert origin.sentence.endswith("' is neither the web server's own nor in LEDGER_UI_ORIGINS.")
    assert len(origin.sentence) < 250

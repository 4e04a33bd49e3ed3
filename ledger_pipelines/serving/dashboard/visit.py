"""Who looks at a page, in which language, from where: all that is known before the page is made."""

from dataclasses import dataclass

from babel.core import negotiate_locale
from fastapi import Request

from ledger_pipelines.serving.access.sessions import new_secret, session_of
from ledger_pipelines.serving.access.tokens import Caller
from ledger_pipelines.serving.api.parts import Parts
from ledger_pipelines.serving.dashboard.formats import LANGUAGES, Formats, Language
from ledger_pipelines.serving.dashboard.words import Words

SESSION_COOKIE = "ledger_session"
FORM_COOKIE = "ledger_form"
LANGUAGE_COOKIE = "ledger_language"
_LANGUAGE_PARAMETER = "lang"


@dataclass(frozen=True)
class Visit:
    """A request for a page.

    Attributes:
        request: The request.
        parts: What the application is made of.
        caller: Who is logged in; None: nobody.
        secret: What forms are derived from: the session's secret; of who is not logged in, one that opens nothing.
        shown: The secrets that the browser has.
        words: In the visitor's language.
        formats: In the same.
    """

    request: Request
    parts: Parts
    caller: Caller | None
    secret: str
    shown: tuple[str, ...]
    words: Words
    formats: Formats

    @property
    def may_act(self) -> bool:
        """Whether the visitor may start, cancel and recalculate."""
        return self.caller is not None and self.caller.may("admin")

    @property
    def is_new(self) -> bool:
        """Whether the browser does not have the secret yet."""
        return self.secret not in self.shown

    @property
    def is_secure(self) -> bool:
        """Whether the browser came by https, to us or to a proxy that is trusted."""
        return self.request.url.scheme == "https"

    @property
    def chosen_language(self) -> Language | None:
        """The language that this very request chooses; None: it does not."""
        return _known(self.request.query_params.get(_LANGUAGE_PARAMETER))

    def path_in(self, language: str) -> str:
        """The address of this page in a language; of the overview if this is the answer to a form."""
        if self.request.method != "GET":
            return f"/?{_LANGUAGE_PARAMETER}={language}"
        url = self.request.url.include_query_params(**{_LANGUAGE_PARAMETER: language})
        return f"{url.path}?{url.query}"


def visit_of(request: Request) -> Visit:
    """Who makes a request.

    Raises:
        WarehouseError: the warehouse is away.
    """
    parts: Parts = request.app.state.parts
    session, before = request.cookies.get(SESSION_COOKIE), request.cookies.get(FORM_COOKIE)
    caller = None
    if session:
        with parts.reading() as connection:
            caller = session_of(connection, session)
    language = language_of(request)
    return Visit(
        request=request,
        parts=parts,
        caller=caller,
        secret=session if session and caller else before or new_secret(),
        shown=tuple(secret for secret in (session, before) if secret),
        words=Words(language),
        formats=Formats(language, parts.settings.zone),
    )


def language_of(request: Request) -> Language:
    """The language that is chosen, else was chosen before, else suits the browser, else English."""
    chosen = _known(request.query_params.get(_LANGUAGE_PARAMETER)) or _known(request.cookies.get(LANGUAGE_COOKIE))
    return chosen or _known(negotiate_locale(_preferred(request), LANGUAGES)) or "en"


def _preferred(request: Request) -> list[str]:
    """The languages of Accept-Language, the most wanted first."""
    wanted = []
    for part in request.headers.get("accept-language", "").split(",")[:20]:
        name, _, weight = part.strip().partition(";q=")
        wanted.append((name.replace("-", "_"), weight or "1"))
    return [name for name, weight in sorted(wanted, key=lambda one: one[1], reverse=True) if weight != "0" and name]


def _known(name: str | None) -> Language | None:
    """The language of this name; None if the dashboard does not speak it."""
    return next((language for language in LANGUAGES if language == name), None)

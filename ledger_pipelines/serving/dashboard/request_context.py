"""Context of a request for a page: user, language, formats and secrets of the browser."""

from dataclasses import dataclass

from babel.core import negotiate_locale
from fastapi import Request

from ledger_pipelines.serving.access.sessions import find_caller, new_secret
from ledger_pipelines.serving.access.tokens import Caller
from ledger_pipelines.serving.dashboard.translations import Translator
from ledger_pipelines.serving.dashboard.translations.formats import LANGUAGES, Formats, Language
from ledger_pipelines.serving.web.context import AppContext

SESSION_COOKIE = "ledger_session"
FORM_COOKIE = "ledger_form"
LANGUAGE_COOKIE = "ledger_language"
_LANGUAGE_PARAMETER = "lang"


@dataclass(frozen=True)
class RequestContext:
    """Context of a request for a page.

    Attributes:
        request: The request.
        app_context: Settings, engines and caches of the application.
        caller: The user who is logged in, or None.
        secret: Secret from which form tokens are derived: the session's, or a form-only secret without a login.
        browser_secrets: Secrets that the browser has sent.
        translate: Texts in the user's language.
        formats: Formats of the user's language.
    """

    request: Request
    app_context: AppContext
    caller: Caller | None
    secret: str
    browser_secrets: tuple[str, ...]
    translate: Translator
    formats: Formats

    @property
    def is_admin(self) -> bool:
        """Whether the user may start and cancel syncs, recalculate, and confirm deletions."""
        return self.caller is not None and self.caller.has_role("admin")

    @property
    def needs_form_cookie(self) -> bool:
        """Whether the browser has not stored the secret yet."""
        return self.secret not in self.browser_secrets

    @property
    def is_secure(self) -> bool:
        """Whether the browser uses https, to this server or to a trusted proxy."""
        return self.request.url.scheme == "https"

    @property
    def requested_language(self) -> Language | None:
        """Language that this request selects with its query parameter, or None."""
        return _supported(self.request.query_params.get(_LANGUAGE_PARAMETER))

    def path_in_language(self, language: str) -> str:
        """Return the path of this page in a language; of the overview if a form was posted."""
        if self.request.method != "GET":
            return f"/?{_LANGUAGE_PARAMETER}={language}"
        url = self.request.url.include_query_params(**{_LANGUAGE_PARAMETER: language})
        return f"{url.path}?{url.query}"


def load_request_context(request: Request) -> RequestContext:
    """Build the context of a request; reads the session from the warehouse.

    Raises:
        WarehouseError: The warehouse does not answer.
    """
    app_context: AppContext = request.app.state.app_context
    session, form_secret = request.cookies.get(SESSION_COOKIE), request.cookies.get(FORM_COOKIE)
    caller = None
    if session:
        with app_context.read_connection() as connection:
            caller = find_caller(connection, session)
    language = negotiate_language(request)
    return RequestContext(
        request=request,
        app_context=app_context,
        caller=caller,
        secret=session if session and caller else form_secret or new_secret(),
        browser_secrets=tuple(secret for secret in (session, form_secret) if secret),
        translate=Translator(language),
        formats=Formats(language, app_context.settings.zone),
    )


def negotiate_language(request: Request) -> Language:
    """Return the language of the query parameter, else of the cookie, else of the browser, else English."""
    requested = _supported(request.query_params.get(_LANGUAGE_PARAMETER))
    chosen = requested or _supported(request.cookies.get(LANGUAGE_COOKIE))
    return chosen or _supported(negotiate_locale(_accepted_languages(request), LANGUAGES)) or "en"


def _accepted_languages(request: Request) -> list[str]:
    """Return the languages of Accept-Language, the preferred one first."""
    wanted = []
    for part in request.headers.get("accept-language", "").split(",")[:20]:
        name, _, weight = part.strip().partition(";q=")
        wanted.append((name.replace("-", "_"), weight or "1"))
    return [name for name, weight in sorted(wanted, key=lambda pair: pair[1], reverse=True) if weight != "0" and name]


def _supported(name: str | None) -> Language | None:
    """Return the language of this name, or None if the dashboard does not support it."""
    return next((language for language in LANGUAGES if language == name), None)

"""From a template to a page: Jinja, with what every page needs, and the headers that keep others out of it."""

import secrets
from functools import cache
from typing import Any

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ledger_pipelines.serving.access.sessions import form_token
from ledger_pipelines.serving.dashboard.static_files import plotly_styles, static_file
from ledger_pipelines.serving.dashboard.visit import Visit
from ledger_pipelines.warehouse import servers
from ledger_pipelines.warehouse.first_computation import CHECK_COMMAND, COMPUTE_COMMAND

_PAGES = {
    "overview": "/",
    "customers": "/customers",
    "syncs": "/syncs",
    "incidents": "/incidents",
    "alerts": "/alerts",
    "rejected": "/rejected",
    "comparison": "/comparison",
    "invoices": "/invoices",
}
_ADMINS_PAGES = {"audit": "/audit"}
_FIRST_COMMANDS = {"check": CHECK_COMMAND, "compute": COMPUTE_COMMAND}
_LANGUAGE_NAMES = {"en": "English", "id": "Bahasa Indonesia"}


@cache
def environment() -> Environment:
    """The templates; a name that a page was not given is an error, not a blank."""
    made = Environment(
        loader=PackageLoader("ledger_pipelines.serving.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["json_text"] = _json_text
    made.globals["static"] = lambda name: static_file(name).path
    made.globals["plotly_styles"] = plotly_styles
    made.globals["first_command"] = lambda name: Markup("<code>{}</code>").format(_FIRST_COMMANDS[name])
    return made


def page(visit: Visit, template: str, *, status_code: int = 200, here: str | None = None, **values: Any) -> Response:
    """A page for a visitor.

    Args:
        visit: For whom.
        template: Which one.
        status_code: Of HTTP.
        here: Which entry of the navigation it belongs to.
        values: What the template shows.
    """
    nonce = secrets.token_urlsafe(16)
    common = _common(visit) | {"nonce": nonce, "here": here, "notice": None, "fault": None}
    text = environment().get_template(template).render(common | values)
    headers = {"Content-Security-Policy": _policy(nonce), "Vary": "Cookie, Accept-Language"}
    return Response(text, status_code, headers, "text/html; charset=utf-8")


def _common(visit: Visit) -> dict[str, Any]:
    admin = visit.may_act
    token = form_token(visit.secret)
    return {
        "w": visit.words,
        "f": visit.formats,
        "language": visit.words.language,
        "languages": [(code, name, visit.path_in(code)) for code, name in _LANGUAGE_NAMES.items()],
        "navigation": list((_PAGES | (_ADMINS_PAGES if admin else {})).items()),
        "session": visit.caller,
        "may_act": admin,
        "zone": visit.formats.zone.key,
        "is_demo": servers.uses_demo_billing(visit.parts.settings),
        "has_erp": servers.has_erp(visit.parts.settings),
        "csrf_field": Markup('<input type="hidden" name="form_token" value="{}">').format(token),
    }


def _policy(nonce: str) -> str:
    """What the page may load: our own files, and no script or style that is written into it, but with the nonce."""
    return (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        f"style-src 'self' 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _json_text(text: str) -> Markup:
    """JSON for a script element: nothing in it can end the element."""
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - JSON without a < is no markup

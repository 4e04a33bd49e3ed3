"""Rendering of pages: Jinja templates, the values that every page needs, and the security headers."""

import secrets
from functools import cache
from typing import Any

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ledger_pipelines.serving.access.sessions import form_token
from ledger_pipelines.serving.dashboard.navigation import NavEntry
from ledger_pipelines.serving.dashboard.request_context import RequestContext
from ledger_pipelines.serving.dashboard.static_files import plotly_style_ids, static_file
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.ops.first_computation import CHECK_COMMAND, COMPUTE_COMMAND

_FIRST_COMMANDS = {"check": CHECK_COMMAND, "compute": COMPUTE_COMMAND}
_LANGUAGE_NAMES = {"en": "English", "id": "Bahasa Indonesia"}


@cache
def environment() -> Environment:
    """Return the Jinja environment; an undefined name in a template is an error."""
    templates = Environment(
        loader=PackageLoader("ledger_pipelines.serving.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["json_text"] = _json_text
    templates.globals["static"] = lambda name: static_file(name).path
    templates.globals["plotly_style_ids"] = plotly_style_ids
    templates.globals["first_command"] = lambda name: Markup("<code>{}</code>").format(_FIRST_COMMANDS[name])
    return templates


def render_page(
    context: RequestContext, template: str, *, status_code: int = 200, nav_entry: NavEntry | None = None, **values: Any
) -> Response:
    """Render a page.

    Args:
        context: Request context: user, language and formats.
        template: File name of the template.
        status_code: HTTP status.
        nav_entry: Navigation entry that is marked as the current page.
        values: Values for the template.
    """
    nonce = secrets.token_urlsafe(16)
    common = _common_values(context) | {"nonce": nonce, "nav_entry": nav_entry, "notice": None, "fault": None}
    text = environment().get_template(template).render(common | values)
    headers = {"Content-Security-Policy": _content_security_policy(nonce), "Vary": "Cookie, Accept-Language"}
    return Response(text, status_code, headers, "text/html; charset=utf-8")


def _common_values(context: RequestContext) -> dict[str, Any]:
    token = form_token(context.secret)
    navigation: list[NavEntry] = context.request.app.state.navigation
    return {
        "w": context.translate,
        "f": context.formats,
        "language": context.translate.language,
        "languages": [(code, name, context.path_in_language(code)) for code, name in _LANGUAGE_NAMES.items()],
        "navigation": [entry for entry in navigation if context.is_admin or not entry.for_admins],
        "session": context.caller,
        "is_admin": context.is_admin,
        "zone": context.formats.zone.key,
        "is_demo": database_urls.uses_demo_billing(context.app_context.settings),
        "has_erp": database_urls.has_erp(context.app_context.settings),
        "csrf_field": Markup('<input type="hidden" name="form_token" value="{}">').format(token),
    }


def _content_security_policy(nonce: str) -> str:
    """Return a policy that allows only our own files, no inline script, and inline styles only with the nonce."""
    return (
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        f"style-src 'self' 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _json_text(text: str) -> Markup:
    """Return JSON for a script element, escaped so that no content can close the element."""
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - JSON without a < is no markup

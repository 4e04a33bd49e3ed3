"""The files that pages load: ours and Plotly's, each under an address that names its content.

So a browser may keep them for ever, and gets new ones when they change.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_DIGITS = 16
_TYPES = {
    "dashboard.css": "text/css; charset=utf-8",
    "dashboard.js": "text/javascript; charset=utf-8",
    "plotly.min.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_ELSEWHERE = {"plotly.min.js": ("plotly", "package_data")}
#: Plotly's own rules, which go into an element of this name.
_PLOTLY_RULES = "plotly.js-style-global"
#: Rules of its maps, which it writes into the page unless there is an element of their name, a hash.
_MAP_RULES = re.compile(rb'getElementById\("([0-9a-f]{64})"\)')
_HERE = ("ledger_pipelines.serving.dashboard", "static")


@dataclass(frozen=True)
class StaticFile:
    """A file to be served, as it is and compressed."""

    name: str
    media_type: str
    digest: str
    content: bytes
    compressed: bytes

    @property
    def path(self) -> str:
        """The address at which this very content is."""
        return f"/static/{self.digest}/{self.name}"


@cache
def static_file(name: str) -> StaticFile:
    """A file by its name, read once.

    Raises:
        KeyError: there is none of this name.
    """
    media_type = _TYPES[name]
    package, folder = _ELSEWHERE.get(name, _HERE)
    content = files(package).joinpath(folder, name).read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
    return StaticFile(name, media_type, digest, content, gzip.compress(content, compresslevel=6, mtime=0))


@cache
def plotly_styles() -> tuple[str, ...]:
    """The style elements that Plotly's script makes unless the page has them; the page's may hold rules, others not."""
    of_maps = _MAP_RULES.findall(static_file("plotly.min.js").content)
    return (_PLOTLY_RULES, *sorted({name.decode() for name in of_maps}))


def is_known(name: str) -> bool:
    """Whether there is a file of this name."""
    return name in _TYPES

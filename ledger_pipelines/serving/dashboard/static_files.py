"""Static files of the pages: ours and Plotly's, each under a path with a digest of its content.

Browsers may therefore cache a file permanently; a changed file has a new path.
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
_OTHER_PACKAGES = {"plotly.min.js": ("plotly", "package_data")}
#: Id of the style element for the rules of Plotly's script.
_PLOTLY_STYLE_ID = "plotly.js-style-global"
#: Ids (hashes) of the style elements that Plotly's maps create unless the page already has them.
_MAP_STYLE_IDS = re.compile(rb'getElementById\("([0-9a-f]{64})"\)')
_OWN_PACKAGE = ("ledger_pipelines.serving.dashboard", "static")


@dataclass(frozen=True)
class StaticFile:
    """A file to be served, plain and compressed."""

    name: str
    media_type: str
    digest: str
    content: bytes
    compressed: bytes

    @property
    def path(self) -> str:
        """Path of this version of the file."""
        return f"/static/{self.digest}/{self.name}"


@cache
def static_file(name: str) -> StaticFile:
    """Return a file by its name, read once per process.

    Raises:
        KeyError: There is no file of this name.
    """
    media_type = _TYPES[name]
    package, folder = _OTHER_PACKAGES.get(name, _OWN_PACKAGE)
    content = files(package).joinpath(folder, name).read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
    return StaticFile(name, media_type, digest, content, gzip.compress(content, compresslevel=6, mtime=0))


@cache
def plotly_style_ids() -> tuple[str, ...]:
    """Return the ids of the style elements that Plotly's script uses.

    The page must contain them, because the Content-Security-Policy allows rules only in elements with our nonce.
    """
    of_maps = _MAP_STYLE_IDS.findall(static_file("plotly.min.js").content)
    return (_PLOTLY_STYLE_ID, *sorted({name.decode() for name in of_maps}))


def is_static_file(name: str) -> bool:
    """Return whether there is a static file of this name."""
    return name in _TYPES

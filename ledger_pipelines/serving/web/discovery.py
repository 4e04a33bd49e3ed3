"""Discovery of what the modules of a package declare, so that a new module needs no registration."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TypeVar

_Declared = TypeVar("_Declared")


def declared_in(package: ModuleType, kind: type[_Declared]) -> list[_Declared]:
    """Return the objects of a type, such as routers, in the modules of a package, by the modules' names."""
    modules = [import_module(f"{package.__name__}.{found.name}") for found in iter_modules(package.__path__)]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, kind)]
    return list({id(value): value for value in found}.values())  # a module may import what another declares

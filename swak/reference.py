"""The names `in_` and `out`, under which recipes find every plugin. Importing them imports no plugin."""

from __future__ import annotations

from typing import Any

from swak.discovery import find, names


class Namespace:
    """Finds a plugin class when its name is first asked for."""

    def __init__(self, side: str) -> None:
        self._side = side

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"swak.{self._side} has no attribute {name!r}")
        return find(self._side, name)

    def __dir__(self) -> list[str]:
        return sorted(names(self._side))

    def __repr__(self) -> str:
        return f"swak.{self._side}"


in_ = Namespace("in_")
out = Namespace("out")

if __name__ == "__main__":
    from swak.stubs import write

    write()

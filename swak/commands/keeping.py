"""Finding the data directory of an agent that the command line names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swak.datadir import DataDir


def data_dir_of(named: str | None, option: str | None, recipe: str | None = None) -> DataDir:
    """Return the directory of an agent by NAME or RECIPE, whether it runs or not. StateError tells which there are.

    One that runs knows its directory best. Without a name it is the only one that anything was kept in, or
    of several that of `recipe`.
    """
    from swak.background.naming import called, running  # noqa: PLC0415 - `--help` needs none of it
    from swak.background.places import of_this_user  # noqa: PLC0415 - as above
    from swak.datadir import DataDir  # noqa: PLC0415 - as above
    from swak.homes import find  # noqa: PLC0415 - as above

    if option is None and named is not None:
        for one in called(running(of_this_user()), named):
            if held := one.details.get("data_dir"):
                return DataDir(Path(os.fspath(held)), f"{one.name}, which runs")
    return find(named, option, recipe)

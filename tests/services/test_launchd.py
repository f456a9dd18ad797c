from __future__ import annotations

import plistlib
import sys
from pathlib import Path

import pytest

from swak.services.launchd import plist, plist_path
from swak.services.wanted import Wanted

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
HOME = {"HOME": "/Users/kim"}
WEB = Wanted("swak-web", Path('/etc/swak/<web> & "more".py'), ("/opt/swak/bin/swak",))


def test_the_property_list_is_read_back_as_it_was_meant() -> None:
    told = plistlib.loads(plist(WEB, HOME).encode())
    assert told["Label"] == "swak-web"
    assert told["ProgramArguments"][0] == "/opt/swak/bin/swak"
    assert told["ProgramArguments"][-1] == str(WEB.recipe)
    assert told["KeepAlive"] == {"SuccessfulExit": False}
    assert told["ExitTimeOut"] > 10


def test_a_users_own_lies_in_his_home() -> None:
    own = WEB._replace(user=True)
    assert plist_path(own, HOME) == Path("/Users/kim/Library/LaunchAgents/swak-web.plist")
    assert plistlib.loads(plist(own, HOME).encode())["StandardErrorPath"].startswith("/Users/kim/Library/Logs/")
    assert plist_path(WEB, HOME) == Path("/Library/LaunchDaemons/swak-web.plist")

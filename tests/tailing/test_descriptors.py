from __future__ import annotations

import subprocess
import sys

import pytest

from swak.tailing.descriptors import RESERVED, UNLIMITED, open_files_max

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits on Windows")

LIMITED = """
import resource, sys
from swak.tailing.descriptors import open_files_max

soft, hard = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(open_files_max(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def limited(soft: int, hard: int) -> list[int]:
    """Return, in a process with these limits, how many files may be open, and what the limits are then."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(soft), str(hard)], capture_output=True, text=True, check=True, timeout=30
    )
    return [int(one) for one in done.stdout.split()]


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    assert limited(256, 1_000) == [1_000 - RESERVED, 1_000, 1_000]


def test_a_limit_that_cannot_be_raised_is_what_counts() -> None:
    assert limited(1_000, 1_000) == [1_000 - RESERVED, 1_000, 1_000]


@pytest.mark.parametrize("limit", [30, RESERVED, RESERVED + 1])
def test_under_a_very_low_limit_one_file_may_be_open_at_least(limit: int) -> None:
    assert limited(limit, limit)[0] == 1


def test_the_answer_is_the_same_each_time() -> None:
    assert 1 <= open_files_max() == open_files_max() <= UNLIMITED

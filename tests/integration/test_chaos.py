"""A short run of the chaos bench; `brightrun bench chaos` is the long one."""

from pathlib import Path

from core.bench.chaos import run_chaos
from tests.support.stack import bare_settings


def test_no_item_is_lost_or_done_twice_while_parts_are_killed(tmp_path: Path) -> None:
    result = run_chaos(bare_settings(tmp_path), items=120, disturbances=6, seed_number=1, say=print, workers=2)

    assert result.problems == ()
    assert result.items == 120
    assert {"kill -9 worker-1", "kill -9 worker-2", "kill -9 postgres", "kill -9 api", "kill -9 valkey", "flush Redis"} == {
        disturbance.action for disturbance in result.disturbances
    }

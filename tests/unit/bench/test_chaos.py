from pathlib import Path
from random import Random

from core.bench.chaos import choose_actions, choose_latency
from core.bench.chaos_result import ChaosResult, count_spooled

KEPT = ChaosResult(
    items=10,
    accepted=8,
    failed=2,
    open_items=0,
    attempts=12,
    retried=2,
    superseded=0,
    items_closed_twice=0,
    bad_conversations=0,
    failures_without_report=0,
    unrecorded_replies=0,
    simulator_requests=15,
    calls_in_flight_at_kills=3,
    allowed_requests=15,
    disturbances=(),
    seconds=1.0,
)


def test_every_part_is_disturbed_in_each_round_and_workers_in_turn() -> None:
    actions = choose_actions(12, 3, Random(4))

    for first, last in ((0, 6), (6, 12)):
        assert {"kill -9 valkey", "kill -9 postgres", "kill -9 api", "flush Redis"} < set(actions[first:last])
    killed = sorted(action for action in actions if "worker" in action)
    assert ["kill -9 worker-1", "kill -9 worker-1", "kill -9 worker-2", "kill -9 worker-3"] == killed
    assert 7 == len(choose_actions(7, 1, Random(4)))


def test_replies_left_on_disk_and_calls_without_need_are_problems() -> None:
    assert () == KEPT.problems
    assert ("2 replies are on disk and not recorded",) == KEPT.model_copy(update={"unrecorded_replies": 2}).problems
    assert ("16 requests, more than 15",) == KEPT.model_copy(update={"simulator_requests": 16}).problems


def test_only_whole_results_count_as_left_on_disk(tmp_path: Path) -> None:
    assert 0 == count_spooled(tmp_path)
    aside = tmp_path / "spool" / "set-aside"
    aside.mkdir(parents=True)
    for path in (tmp_path / "spool" / "a.json", tmp_path / "spool" / "b.99.tmp", aside / "c.json", aside / "c.json.reason"):
        path.write_text("{}")

    assert 2 == count_spooled(tmp_path)


def test_batches_last_about_as_long_as_the_disturbances() -> None:
    assert 1.44 == choose_latency(500, 12)
    assert (0.3, 1.5) == (choose_latency(10_000, 1), choose_latency(10, 12))

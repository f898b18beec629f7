from core.bench.processes import Process, Usage, find_family, parse_process, raise_peak, sum_by_part

STAT = "4242 (RQ: (a job) x) S 4200 4200 1 0 -1 4194560 900 80 0 0 150 25 300 5 20 0 4 0 97 0 0"
STATUS = (
    "Name:\tpython\nVmRSS:\t   65536 kB\nRssAnon:\t   40960 kB\nRssFile:\t   20480 kB\nRssShmem:\t    4096 kB\nThreads:\t4\n"
)


def make_process(pid: int, parent: int, *, command: str = "", seconds: float = 1.0, private: float = 10.0) -> Process:
    return Process(pid=pid, parent=parent, command=command, processor_seconds=seconds, private_mb=private, shared_mb=5.0)


def test_process_counts_its_ended_children_and_every_kind_of_its_memory() -> None:
    process = parse_process(STAT, STATUS, "python worker.py", 100)

    assert (4242, 4200) == (process.pid, process.parent)
    assert 4.8 == process.processor_seconds
    assert (40.0, 24.0, 64.0) == (process.private_mb, process.shared_mb, process.memory_mb)


def test_kernel_thread_has_no_memory() -> None:
    assert (
        0.0
        == parse_process("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0", "Name:\tkthreadd\n", "", 100).memory_mb
    )


def test_part_is_its_process_and_all_that_descend_from_it() -> None:
    processes = [
        make_process(1, 0),
        make_process(10, 1, seconds=0.5),
        make_process(20, 10, seconds=2.0, private=80.0),
        make_process(21, 20, seconds=3.0, private=30.0),
        make_process(30, 10, seconds=7.0),
    ]

    usages = sum_by_part(processes, {"supervisor": 10, "worker-1": 20, "postgres": 30})

    assert [("postgres", 7.0), ("supervisor", 0.5), ("worker-1", 5.0)] == [
        (usage.part, usage.processor_seconds) for usage in usages
    ]
    assert (115.0, 85.0, 110.0) == (usages[2].memory_mb, usages[2].largest_process_mb, usages[2].private_mb)


def test_reconciler_is_told_from_its_worker() -> None:
    spawned = "python -c from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5) --multiprocessing-fork"
    processes = [make_process(20, 1), make_process(21, 20, command=spawned), make_process(22, 21), make_process(23, 20)]

    usages = sum_by_part(processes, {"worker-1": 20})

    assert {"worker-1": 2.0, "worker-1 reconciler": 2.0} == {usage.part: usage.processor_seconds for usage in usages}


def test_peak_keeps_the_most_memory_and_the_latest_processor_time() -> None:
    before = Usage(part="api", processor_seconds=1.0, memory_mb=90.0, largest_process_mb=50.0, private_mb=20.0)
    now = Usage(part="api", processor_seconds=2.0, memory_mb=70.0, largest_process_mb=60.0, private_mb=10.0)

    assert Usage(part="api", processor_seconds=2.0, memory_mb=90.0, largest_process_mb=60.0, private_mb=20.0) == raise_peak(
        before, now
    )


def test_family_is_a_process_with_all_that_descend_from_it() -> None:
    processes = [make_process(1, 0), make_process(20, 1), make_process(21, 20), make_process(22, 21), make_process(30, 1)]

    assert {20, 21, 22} == {process.pid for process in find_family(processes, 20)}

"""`python -m tests.evaluation [FILE...] [--turns FILE.jsonl] [--raw DIRECTORY]`: how good is the verdict?

Without arguments it measures the turns written for this repository. Each FILE is a data set that others made, in any format
that `scan` reads. A line of the labelled turns is `{"label", "role", "text"}`; the directory holds the texts of whole
replies. Exits with 1 where a figure falls short of its target.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from core.domain.verdict.conversation import Role
from core.domain.verdict.verdict import Confidence, Failed, FailurePattern
from tests.evaluation.cuts import Boundary
from tests.evaluation.foreign import (
    ALL_SCRIPTS,
    CUTS_OF_A_TURN,
    TARGET_FALSE_ALARMS,
    TARGET_PRECISION,
    TARGET_RECALL,
    measure_file,
    share_right,
)
from tests.evaluation.measurement import (
    TARGET_RECALL_OF_CUTS,
    CutFigures,
    JudgedReply,
    JudgedTurn,
    describe_verdict,
    judge_replies,
    judge_turns,
    measure_cuts,
    measure_speed,
)
from tests.evaluation.turns import Label, load_corpus, load_turns


def main(arguments: Sequence[str] | None = None) -> int:
    """Print all tables; the exit code says whether the targets are met."""
    options = _parse(arguments)
    if options.files:
        return _measure_foreign(options.files, options.seed, options.misses)
    turns = load_turns(options.turns) if options.turns else load_corpus()
    judged = judge_turns(turns)
    replies = judge_replies(options.raw) if options.raw else []
    figures = [measure_cuts(turns, role, boundary) for boundary in Boundary for role in Role]

    _print_confusion(judged)
    all_labels_met = _print_errors(judged, replies)
    _print_replies(replies)
    _print_cuts(figures)
    _print_patterns(figures)
    _print_misses(figures, options.misses)
    timing = measure_speed(turns)
    print(f"\nVerdict on a reply of {timing.characters:,} characters in {timing.turns} turns, processor time: ", end="")
    print(f"median {timing.median_ms:.2f} ms, slowest {timing.slowest_ms:.2f} ms")
    return 0 if all_labels_met and all(row.recall >= TARGET_RECALL_OF_CUTS for row in figures) else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation", description=__doc__)
    parser.add_argument("files", type=Path, nargs="*", help="data sets that others made")
    parser.add_argument("--seed", type=int, default=7, help="where cuts are planted in them")
    parser.add_argument("--turns", type=Path, help="labelled turns, one JSON object a line")
    parser.add_argument("--raw", type=Path, help="directory with the texts of whole replies")
    parser.add_argument("--misses", type=int, default=0, help="show so many cuts of each kind that were not found")
    return parser.parse_args(arguments)


def _measure_foreign(files: Sequence[Path], seed: int, shown: int) -> int:
    """False alarms and planted cuts at the default threshold, then the curve of both, then what confidence means."""
    rows = [row for file in files for row in measure_file(file, seed)]
    head = f"{'file':<28} {'script':<10} {'speaker':<10} {'turns':>6} {'alarms':>7} {'rate':>7} {'cuts':>6} {'recall':>7}"
    print(f"{head} {'precision':>9}")
    all_met = True
    for row in rows:
        alarms, found = row.count_alarms(Confidence.MEDIUM), row.count_found(Confidence.MEDIUM)
        rate, recall, precision = (
            alarms / row.turns,
            found / max(1, row.cuts),
            found / max(1, found + alarms * CUTS_OF_A_TURN),
        )
        is_met = rate < TARGET_FALSE_ALARMS[row.role] and (
            row.role is Role.USER or (recall >= TARGET_RECALL and precision > TARGET_PRECISION)
        )
        is_judged = row.script == ALL_SCRIPTS
        all_met = all_met and (is_met or not is_judged)
        print(
            f"{row.file[:28]:<28} {row.script:<10} {row.role:<10} {row.turns:>6} {alarms:>7} {rate:>7.2%} {row.cuts:>6} "
            f"{recall:>7.2%} {precision:>9.2%}{'  short of a target' if is_judged and not is_met else ''}"
        )
        for tail in row.shown[:shown] if is_judged else ():
            print(f"    {tail!r}")
    rows = [row for row in rows if row.script == ALL_SCRIPTS]
    for row in rows:
        print(f"\n{row.file}, {row.role}: findings that count, false alarms, recall")
        for name, rate, recall in row.draw_curve():
            print(f"  {name:<16} {rate:>7.2%} {recall:>7.2%}")
    print("\nShare of findings that are right, where as many turns are cut as whole:")
    print(", ".join(f"{level} {share:.1%}" for level, share in share_right(rows).items()))
    return 0 if all_met else 1


def _print_confusion(judged: Sequence[JudgedTurn]) -> None:
    print("Labelled turns, by their text alone\n")
    print(f"{'role':<10} {'label':<10} {'turns':>6} {'flagged':>8} {'passed':>8}")
    for role in Role:
        for label in Label:
            rows = [row for row in judged if row.turn.role is role and row.turn.label is label]
            flagged = sum(row.pattern is not None for row in rows)
            print(f"{role:<10} {label:<10} {len(rows):>6} {flagged:>8} {len(rows) - flagged:>8}")


def _print_errors(judged: Sequence[JudgedTurn], replies: Sequence[JudgedReply]) -> bool:
    """Each disagreement; a turn that is cut where a sentence ends counts as found if the verdict fails its reply."""
    all_met = True
    for row in judged:
        if row.is_right:
            continue
        source = next((reply for reply in replies if isinstance(reply.verdict, Failed) and reply.holds(row.turn)), None)
        is_found = row.turn.label is Label.TRUNCATED and source is not None
        all_met = all_met and is_found
        how = f"found by its reply, {source.path.name}" if is_found and source else f"WRONG, pattern {row.pattern}"
        print(f"  {row.turn.role} {row.turn.label}: {how}: {row.turn.text[-70:]!r}")
    return all_met


def _print_replies(replies: Sequence[JudgedReply]) -> None:
    if replies:
        print("\nWhole replies, judged as if stop_reason were end_turn\n")
    for reply in replies:
        print(f"  {reply.path.name}: {describe_verdict(reply.verdict)}")


def _print_cuts(figures: Sequence[CutFigures]) -> None:
    print("\nComplete turns cut at every boundary; a cut behind a whole sentence cannot be seen and is counted apart\n")
    print(f"{'boundary':<10} {'role':<10} {'cuts':>8} {'found':>8} {'recall':>8} {'at sentence end':>16} {'found':>6}")
    for row in figures:
        print(
            f"{row.boundary:<10} {row.role:<10} {row.cuts:>8} {row.found:>8} {row.recall:>8.2%} "
            f"{row.sentence_ends:>16} {row.sentence_ends_found:>6}"
        )


def _print_patterns(figures: Sequence[CutFigures]) -> None:
    columns = "".join(f"{row.boundary[:4] + '/' + row.role:>16}" for row in figures)
    print(f"\nPatterns of the cuts found\n\n{'pattern':<22}{columns}")
    for pattern in FailurePattern:
        counts = [row.by_pattern[pattern] for row in figures]
        if any(counts):
            print(f"{pattern:<22}{''.join(f'{count:>16}' for count in counts)}")


def _print_misses(figures: Sequence[CutFigures], most: int) -> None:
    for row in figures if most else ():
        print(f"\nNot found, {row.boundary}/{row.role}")
        for end, following in row.misses[:most]:
            print(f"  {end!r} | {following!r}")


if __name__ == "__main__":
    sys.exit(main())

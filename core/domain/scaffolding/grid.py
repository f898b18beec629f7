"""Which combinations of a grid a limited batch takes: spread evenly, and the same ones every time."""

import random
from math import lcm


def sample_grid(personas: int, arcs: int, topics: int, *, limit: int, seed: int = 0) -> tuple[int, ...]:
    """Return `limit` distinct row-major positions of a personas x arcs x topics grid, in the order to be generated.

    Every prefix of the result is balanced: of the values of one dimension none comes more than once more often than
    another, until the grid runs out. The same arguments give the same positions. A limit over the grid's size gives the
    whole grid.
    """
    shuffle = random.Random(f"{seed}/{personas}x{arcs}x{topics}").sample  # noqa: S311 - sampling, not secrets
    persona_order = shuffle(range(personas), personas)
    arc_order = shuffle(range(arcs), arcs)
    topic_order = shuffle(range(topics), topics)
    pairs = [walk_diagonal(i, personas, arcs) for i in range(personas * arcs)]
    positions: list[int] = []
    for i in range(min(limit, personas * arcs * topics)):
        pair, topic = walk_diagonal(i, len(pairs), topics)
        persona, arc = pairs[pair]
        positions.append((persona_order[persona] * arcs + arc_order[arc]) * topics + topic_order[topic])
    return tuple(positions)


def walk_diagonal(step: int, rows: int, columns: int) -> tuple[int, int]:
    """Return the cell of a step that walks a rows x columns torus along its diagonals and meets each cell once."""
    return step % rows, (step + step // lcm(rows, columns)) % columns

"""Files made to cost their reader memory or time: one of each kind, the same bytes each time.

The dangerous ones are small and unpack or nest; the size of the large ones can be chosen.
"""

import gzip
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from itertools import chain, repeat
from pathlib import Path
from typing import BinaryIO

from core.domain.verdict.limits import MEGABYTE

_CHUNK = 64 * 1024
_GOOD_TURNS = '{"role":"user","content":"How much should I keep?"},{"role":"assistant","content":"Three months."}'
_GOOD = f'{{"messages":[{_GOOD_TURNS}]}}'
_WIDE = "\N{GRINNING FACE}"
"""One of these makes every character of a text take four bytes."""


@dataclass(frozen=True)
class HostileFile:
    """One kind of attack; `parts` are its bytes, in order."""

    name: str
    parts: Callable[[], Iterator[bytes]]

    def write(self, path: Path) -> None:
        """Write the file."""
        with path.open("wb") as file:
            file.writelines(self.parts())


def list_hostile_files(size: int) -> tuple[HostileFile, ...]:
    """Return all kinds; large ones have about this many bytes, packed ones unpack to twenty times as many."""
    record = 4 * MEGABYTE - 1024
    """Just below the limit of a record, so that it is read instead of refused."""
    deep = 60_000
    times = min(5, max(1, size // (4 * MEGABYTE)))
    records, unpacked = max(1, size // record), 20 * size
    texts = {
        # Nesting, wherever it is possible
        "nested-behind-first-item.json": lambda: _join(f"[{_GOOD},", "[" * deep),
        "nested-objects-behind-first-item.json": lambda: _join(f"[{_GOOD},", '{"a":' * deep),
        "nested-with-long-keys.json": lambda: _join(f"[{_GOOD},", *(f'{{"{"k" * 50_000}{level}":' for level in range(60))),
        "nested-first-item.json": lambda: _join("[", "[" * deep),
        "nested-in-conversations.json": lambda: _join(f'{{"conversations":[{_GOOD},', "[" * deep),
        "nested-before-conversations.json": lambda: _join('{"a":', "[" * deep, "]" * deep, f',"conversations":[{_GOOD}]}}'),
        "nested-in-training-pairs.json": lambda: _join('{"training_pairs":[', '{"a":[' * deep),
        "nested-document.json": lambda: _join('{"turns":' * deep),
        "nested-lines.jsonl": lambda: _join(f"{_GOOD}\n", *repeat("[" * deep + "]" * deep + "\n", 10), f"{_GOOD}\n"),
        "nested-in-text.jsonl": lambda: _join(*repeat(_write_reply('{"turns":' + "[" * deep + "]" * deep + "}"), 10)),
        "nested-in-cut-text.jsonl": lambda: _join(*repeat(_write_reply('{"turns":[' + '{"a":' * deep), 10)),
        # Many values
        "nulls.json": lambda: _join("[1", *repeat(",null" * 1000, size // 5000), "]"),
        "empty-lists.json": lambda: _join("[[[]", *repeat(",[]" * 1000, size // 3000), "]]"),
        "empty-lists-in-record.jsonl": lambda: _join(*repeat(f'{{"messages":[[]{",[]" * (record // 3)}]}}\n', records)),
        "empty-records.jsonl": lambda: _join(*repeat("{}\n" * 1000, size // 3000)),
        "empty-conversations.jsonl": lambda: _join(*repeat('{"messages":[]}\n' * 1000, size // 160_000)),
        "headers.jsonl": lambda: _join(*repeat('{"_meta":1}\n' * 1000, size // 12_000)),
        "many-keys.jsonl": lambda: _join("{", *(f'"{number}":0,' for number in range(size // 12)), '"end":0}'),
        "many-keys-in-records.jsonl": lambda: _join(*repeat(_write_keys(200_000), max(1, size // 3_000_000))),
        "duplicate-keys.jsonl": lambda: _join(*repeat(_write_reply(_write_duplicates(200_000)), max(1, size // 4_000_000))),
        "many-turns.jsonl": lambda: _join(*repeat(f'{{"messages":[0{",0" * 200_000}]}}\n', max(1, size // 400_000))),
        "most-turns.jsonl": lambda: _join(*repeat(f'{{"messages":[0{",0" * 49_999}]}}\n', times)),
        "turns-of-no-schema.jsonl": lambda: _join(
            *repeat(f'{{"conversation_metadata":0,"turns":[0{",0" * 49_999}]}}\n', times)
        ),
        "objects-for-labels.jsonl": lambda: _join(*repeat(f'{{"messages":[],"a":{_write_objects(100_000)}}}\n', times)),
        # Long values
        "one-line.jsonl": lambda: _join(f'{_GOOD}\n{{"messages":"', *repeat("x" * _CHUNK, size // _CHUNK)),
        "long-string.json": lambda: _join(f'[{_GOOD},"', *repeat("x" * _CHUNK, size // _CHUNK), '"]'),
        "long-integer.json": lambda: _join(f"[{_GOOD},", "9" * 10_000_000, "]"),
        "long-integer.jsonl": lambda: _join(f"{_GOOD}\n", "9" * 3_900_000, "\n", "9" * 10_000_000, f"\n{_GOOD}\n"),
        "long-fraction.jsonl": lambda: _join(f"{_GOOD}\n", *repeat(f"0.{'9' * 3_900_000}\n", times)),
        "long-key.jsonl": lambda: _join(*repeat(f'{{"{"k" * record}":0}}\n', records)),
        "long-id.jsonl": lambda: _join(
            *repeat(f'{{"id":"{"i" * 2_000_000}","messages":[0{",0" * 49_998}]}}\n', times),
        ),
        "long-role.jsonl": lambda: _join(*repeat(_write_chat("r" * (record - 200), "Yes."), records)),
        "wide-text.jsonl": lambda: _join(*repeat(_write_chat("user", "x" * (record - 200) + _WIDE), records)),
        "wide-text.json": lambda: _join(
            "[0", *repeat("," + _write_chat("user", "x" * (record - 200) + _WIDE).strip(), records), "]"
        ),
        "wide-reply.jsonl": lambda: _join(*repeat(_write_reply('{"turns":"' + "x" * (record - 300) + _WIDE), records)),
        "escapes.jsonl": lambda: _join(*repeat(_write_chat("user", "\\n" * (record // 2 - 200)), times)),
        "escapes.json": lambda: _join("[0", *repeat("," + _write_chat("user", "\\n" * (record // 2 - 200)).strip(), 5), "]"),
        "quotes-in-reply.jsonl": lambda: _join(*repeat(_write_reply('"content":"' * 200_000), times)),
        "byte-order-marks.jsonl": lambda: repeat(b"\xef\xbb\xbf", size // 3),
        "half-characters.jsonl": lambda: repeat(b"\xed\xa0\x80" * 1000, size // 3000),
        "zeros.json": lambda: repeat(bytes(_CHUNK), size // _CHUNK),
        # Well-known attacks
        "pairs-of-many.jsonl": lambda: (
            f'{{"conversation_id":"{number}","target_response":"Yes."}}\n'.encode() for number in range(size // 52)
        ),
        "pairs-of-one-beginning.jsonl": lambda: (
            f'{{"conversation_history":[{{"role":"user","content":"Hi."}}],"target_response":"{number}"}}\n'.encode()
            for number in range(size // 80 // 4)
        ),
        # Blank and endless
        "line-breaks.jsonl": lambda: repeat(b"\n" * _CHUNK, size // _CHUNK),
        "line-breaks-behind-record.jsonl": lambda: chain([_GOOD.encode()], repeat(b"\n" * _CHUNK, size // _CHUNK)),
        "line-breaks.jsonl.gz": lambda: _pack(repeat(b"\n" * _CHUNK, unpacked // _CHUNK)),
        "line-breaks-behind-record.jsonl.gz": lambda: _pack(
            chain([f"{_GOOD}\n{_GOOD}".encode()], repeat(b"\n" * _CHUNK, unpacked // _CHUNK))
        ),
        "blanks-in-array.json.gz": lambda: _pack(chain([f"[{_GOOD},".encode()], repeat(b" " * _CHUNK, unpacked // _CHUNK))),
        "endless-line.jsonl.gz": lambda: _pack(
            chain([f'{_GOOD}\n{{"messages":"'.encode()], repeat(b"x" * _CHUNK, unpacked // _CHUNK))
        ),
        "empty-records.jsonl.gz": lambda: _pack(repeat(b"{}\n" * 1000, unpacked // 3000)),
        "headers.jsonl.gz": lambda: _pack(repeat(b'{"_meta":1}\n' * 1000, unpacked // 12_000)),
        "conversations.jsonl.gz": lambda: _pack(repeat(f"{_GOOD}\n".encode() * 100, unpacked // 11_700)),
        "empty-members.jsonl.gz": lambda: repeat(gzip.compress(b"", mtime=0) * 1000, min(size, 10 * MEGABYTE) // 20_000),
        "long-name.jsonl.gz": lambda: chain(
            [b"\x1f\x8b\x08\x08\0\0\0\0\0\xff"], repeat(b"n" * _CHUNK, min(size, 10 * MEGABYTE) // _CHUNK)
        ),
        "packed-twice.jsonl.gz": lambda: _pack(_pack(repeat(b"\n" * _CHUNK, unpacked // _CHUNK))),
        "cut.jsonl.gz": lambda: _cut(_pack(iter([f"{_GOOD}\n".encode() * 10_000]))),
        "with-garbage-behind.jsonl.gz": lambda: chain(_pack(iter([f"{_GOOD}\n".encode() * 100])), repeat(b"x" * _CHUNK, 20)),
        "archive.zip": lambda: chain([b"PK\x03\x04"], repeat(bytes(_CHUNK), 100)),
    }
    return tuple(HostileFile(name, parts) for name, parts in texts.items())


def list_special_files(folder: Path) -> tuple[Path, ...]:
    """Create files that are not regular: a pipe, a socket, a loop of links; return them with the system's own."""
    pipe, plug, loop = folder / "pipe.jsonl", folder / "socket.jsonl", folder / "loop.jsonl"
    os.mkfifo(pipe)
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(plug))
    loop.symlink_to(loop)
    system = (
        "/dev/zero",
        "/dev/urandom",
        "/dev/tty",
        "/dev/stdin",
        "/proc/kmsg",
        "/proc/self/mem",
        "/proc/self/pagemap",
        "/proc/kcore",
    )
    return (pipe, plug, loop, *map(Path, system))


def _join(*texts: str) -> Iterator[bytes]:
    return (text.encode() for text in texts)


def _write_chat(role: str, content: str) -> str:
    """`content` is text as it is written in JSON."""
    return f'{{"messages":[{{"role":"{role}","content":"{content}"}}]}}\n'


def _write_reply(text: str) -> str:
    return json.dumps({"type": "message", "stop_reason": "end_turn", "content": [{"type": "text", "text": text}]}) + "\n"


def _write_keys(count: int) -> str:
    return "{" + ",".join(f'"{number}":""' for number in range(count)) + "}\n"


def _write_duplicates(count: int) -> str:
    """The last key is the duplicate."""
    return "{" + ",".join(f'"{number}":0' for number in range(count)) + f',"{count - 1}":0}}'


def _write_objects(count: int) -> str:
    return "{" + ",".join(f'"{number}":{{"b":{{}}}}' for number in range(count)) + "}"


def _pack(parts: Iterator[bytes]) -> Iterator[bytes]:
    with BytesIO() as packed:
        with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, compresslevel=9) as file:
            _write_all(file, parts)
        yield packed.getvalue()


def _write_all(file: gzip.GzipFile | BinaryIO, parts: Iterator[bytes]) -> None:
    for part in parts:
        file.write(part)


def _cut(parts: Iterator[bytes]) -> Iterator[bytes]:
    whole = b"".join(parts)
    yield whole[: len(whole) * 2 // 3]

"""The program that converts a Parquet file, its standard input, into lines of JSON on its standard output.

Foreign Parquet is read by this process alone (`dataset_folder.py` writes our own). Pages are decoded a few rows at a time; a
page, a repeated text or a list that takes more memory than this process may have ends it.
"""

import json
import resource
import signal
import sys
from collections.abc import Iterator
from typing import Any, cast

from core.process import die_with_parent

MOST_MEMORY = 512 * 2**20
"""Memory for data in bytes; pyarrow reserves 250 MB of it, most of which it never touches."""
_BATCH_BYTES, _MOST_ROWS = 4 * 2**20, 256
_BUFFER_BYTES = 64 * 1024
_LONGEST_REASON = 300
_TOO_MUCH = f"it decodes to more than {MOST_MEMORY // 2**20} MB at once: write it anew with smaller row groups and pages"


def main() -> int:
    """Write the number of rows, then each row; or an error after a mark."""
    die_with_parent(signal.SIGKILL)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = MOST_MEMORY if hard == resource.RLIM_INFINITY else min(MOST_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    output = sys.stdout.buffer
    try:
        for line in _write_rows():
            output.write(line)
            output.write(b"\n")
    except MemoryError:
        output.write(f"!{_TOO_MUCH}\n".encode())
    except BrokenPipeError:
        return 1
    except Exception as error:  # noqa: BLE001 - pyarrow raises many kinds; all mean that the file is not what it says
        reason = " ".join(str(error).split())[:_LONGEST_REASON]
        output.write(f"!it looks like Parquet and cannot be decoded: {reason}\n".encode(errors="replace"))
    output.flush()
    return 0


def _write_rows() -> Iterator[bytes]:
    # Within the memory limit.
    import pyarrow as pa  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]
    import pyarrow.parquet as pq  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

    arrow, parquet = cast("Any", pa), cast("Any", pq)
    arrow.set_memory_pool(arrow.system_memory_pool())
    arrow.set_cpu_count(1)
    arrow.set_io_thread_count(1)
    file: Any = parquet.ParquetFile(sys.stdin.buffer, pre_buffer=False, buffer_size=_BUFFER_BYTES)
    yield json.dumps({"rows": file.metadata.num_rows}).encode()
    columns = _choose_columns(file)
    for group in range(file.num_row_groups):
        size = _choose_batch(file.metadata.row_group(group))
        batches = file.iter_batches(batch_size=size, row_groups=[group], columns=columns, use_threads=False)
        for batch in batches:
            for row in cast("list[dict[str, object]]", batch.to_pylist()):
                yield json.dumps(row, default=_write_value, ensure_ascii=False).encode(errors="surrogatepass")


def _choose_columns(file: Any) -> list[str]:  # noqa: ANN401 - pyarrow has no types
    """Return all columns but the bytes of images and sounds, which nobody judges."""
    columns = [file.metadata.schema.column(index) for index in range(file.metadata.num_columns)]
    return [str(column.path) for column in columns if not str(column.path).endswith(".bytes")]


def _choose_batch(group: Any) -> int:  # noqa: ANN401
    """Return how many rows take a few megabytes, according to the file's metadata."""
    row_bytes = group.total_byte_size // max(group.num_rows, 1)
    return max(1, min(_MOST_ROWS, _BATCH_BYTES // max(row_bytes, 1)))


def _write_value(value: object) -> str | None:
    """Convert what JSON has no type for: times and decimals become text, bytes only if they are text."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    return str(value)


if __name__ == "__main__":
    sys.exit(main())

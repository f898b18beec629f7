"""Files that are not text, recognised by their first bytes."""

PARQUET = b"PAR1"
_UTF_32 = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
_KINDS = {
    b"PK\x03\x04": "packed with zip (or a workbook of Excel), which is not read: unpack it, or save sheets as CSV",
    b"BZh": "packed with bzip2, which is not read: unpack it, or pack it with gzip",
    b"\xfd7zXZ\x00": "packed with xz, which is not read: unpack it, or pack it with gzip",
    b"\x28\xb5\x2f\xfd": "packed with zstd, which is not read: unpack it, or pack it with gzip",
    b"7z\xbc\xaf\x27\x1c": "packed with 7z, which is not read: unpack it, or pack it with gzip",
    b"ARROW1": "looks like an Arrow file, which is not read: save the data set with to_parquet or to_json",
    b"\xff\xff\xff\xff": "looks like Arrow, as save_to_disk writes it, which is not read: save the data set with to_parquet",
    b"SQLite format 3\x00": "looks like a database of SQLite, which is not read: export its tables as CSV or JSON Lines",
    b"Obj\x01": "looks like Avro, which is not read: save the data as Parquet or JSON Lines",
    b"ORC": "looks like ORC, which is not read: save the data as Parquet or JSON Lines",
    b"\x89HDF": "looks like HDF5, which is not read: save the data as Parquet or JSON Lines",
    b"\x93NUMPY": "looks like an array of NumPy, which is not read: save the data as JSON Lines",
    b"\x80\x04": "looks like a pickle of Python, which is not read, since it may run anything: save the data as JSON Lines",
    b"\x80\x05": "looks like a pickle of Python, which is not read, since it may run anything: save the data as JSON Lines",
    b"%PDF": "looks like a PDF, which is not read",
    b"<!DOCTYPE": "looks like a page of HTML: the download was perhaps not the file itself",
    b"<!doctype": "looks like a page of HTML: the download was perhaps not the file itself",
    b"<html": "looks like a page of HTML: the download was perhaps not the file itself",
    b"<?xml": "looks like XML, which is not read: save the data as JSON Lines",
    b"version https://git-lfs": "is a pointer of Git LFS and not the file itself: fetch it with git lfs pull",
}
LONGEST_START = max(map(len, _KINDS))


def describe_foreign(start: bytes) -> str | None:
    """Name the format of a file that begins with these bytes, if it is known and cannot be read."""
    if start.startswith(_UTF_32):
        return "written in UTF-32, which is not read: save it as UTF-8"
    return next((words for magic, words in _KINDS.items() if start.startswith(magic)), None)


def find_utf_16(start: bytes) -> str | None:
    """Return the encoding of UTF-16 text, with its byte order mark or (for plain JSON) without; None for anything else."""
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if len(start) >= 4 and start[1::2].strip(b"\x00") == b"" and start[0::2].isascii() and b"\x00" not in start[0::2]:  # noqa: PLR2004 - two characters
        return "utf-16-le"
    if len(start) >= 4 and start[0::2].strip(b"\x00") == b"" and start[1::2].isascii() and b"\x00" not in start[1::2]:  # noqa: PLR2004
        return "utf-16-be"
    return None

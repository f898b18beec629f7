"""How much foreign data is read: limits of files, records and replies, checked before they cost memory or time.

The aim is 300 MB for the whole process, whatever is read. A text costs up to four bytes for each of its bytes (one emoji
makes all characters wide), and reading and judging hold about five copies of it. A value costs up to 250 bytes besides its
text, a turn with its verdict 1 KB.
"""

MEGABYTE = 2**20
LARGEST_RECORD = 4 * MEGABYTE
"""Bytes of one record. The longest reply that Claude can give has half a megabyte."""
DEEPEST = 64
"""Lists and objects within each other in one record; conversations have 6, tools with JSON schemas up to 20."""
MOST_VALUES = 250_000
"""Values in one record, each list and object included; 500 turns have 4,000."""
MOST_TURNS = 50_000
"""Turns of one conversation."""
LONGEST_LABEL = 200
"""Characters of an id, a role or another name that a record gives: it is repeated with each finding."""
MOST_UNREADABLE = 100_000
"""Unreadable records in one file, before the rest of it is left."""
MOST_BLANK_LINES = 100_000
"""Blank lines without a record between them, before the rest of a file is left."""
LARGEST_FILE = 64 * 2**30
"""Bytes of a file on disk; no data set has as many, but special files pretend to."""
MOST_EXPANSION = 100
"""How many times its size a gzip file may expand to; data sets are 3 to 30 times as large, line breaks 1,000 times."""
LEAST_EXPANDED = 64 * MEGABYTE
"""Bytes that any gzip file may expand to, however small it is."""
LEAST_DECODED = 1024 * MEGABYTE
"""Bytes of JSON that the rows of any Parquet file may expand to; beyond that only MOST_EXPANSION times its size."""

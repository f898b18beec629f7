"""Tokens counted by a tokenizer of choice: a `tokenizer.json` that the analyst has. Nothing is fetched."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from core.domain.datasets.token_lengths import TOKENS_PER_MESSAGE, TokenMeasure
from core.errors import ConfigurationError, InvalidRequest

LARGEST_BYTES = 100_000_000
"""Of `tokenizer.json`; those of large vocabularies have 35 MB."""
SHOWN_OF_DIGEST = 12


def read_tokenizer(path: Path) -> TokenMeasure:
    """Read a `tokenizer.json`; raise InvalidRequest."""
    try:
        with path.open("rb") as file:
            return load_tokenizer(file.read(LARGEST_BYTES + 1))
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}.") from error


def load_tokenizer(content: bytes) -> TokenMeasure:
    """Return what counts by this `tokenizer.json`, named by its size and digest; raise InvalidRequest."""
    if len(content) > LARGEST_BYTES:
        raise InvalidRequest(f"A tokenizer.json has at most {LARGEST_BYTES:,} bytes.")
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise ConfigurationError("Tokens are counted by the package `tokenizers`: install brightrun[tokenizer].") from error
    try:
        tokenizer = Tokenizer.from_buffer(content)
        tokenizer.no_truncation()
        tokenizer.no_padding()
    except Exception as error:  # The library raises nothing narrower.
        raise InvalidRequest("This is not a tokenizer.json as Hugging Face's tokenizers write it.") from error

    def count(contents: Sequence[str]) -> int:
        encoded = tokenizer.encode_batch_fast(list(contents), add_special_tokens=False)
        return sum(map(len, encoded)) + TOKENS_PER_MESSAGE * len(contents)

    digest = sha256(content).hexdigest()[:SHOWN_OF_DIGEST]
    return TokenMeasure(f"a tokenizer of {tokenizer.get_vocab_size():,} (SHA-256 {digest}…)", count)

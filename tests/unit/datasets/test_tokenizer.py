"""Tokens counted by a `tokenizer.json` of the analyst's."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from core.adapters.files.tokenizer import load_tokenizer, read_tokenizer
from core.domain.datasets.token_lengths import TOKENS_PER_MESSAGE
from core.errors import InvalidRequest


def make_tokenizer() -> Tokenizer:
    """A tokenizer that has a token for each word, and cuts and pads, as some are stored."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "money": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()  # type: ignore[assignment]
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=50)
    return tokenizer


def test_its_tokens_count_uncut_and_unpadded(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    make_tokenizer().save(str(path))

    measure = read_tokenizer(path)

    assert 8 + 2 * TOKENS_PER_MESSAGE == measure.count(["money talks and so do I", "I listen"])
    assert "a tokenizer of 2 (SHA-256 " in str(measure.tokenizer)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"model": {"type": "BPE"}}'])
def test_what_is_no_tokenizer_is_said(content: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"not a tokenizer\.json"):
        load_tokenizer(content)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="No such file"):
        read_tokenizer(tmp_path / "tokenizer.json")

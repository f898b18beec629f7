"""Lengths, and what trainers would do to them."""

import re

from core.domain.datasets.token_lengths import (
    choose_length,
    describe_defaults,
    describe_lengths,
    estimate_tokens,
    summarize_lengths,
)


def test_statistics_and_what_defaults_cut() -> None:
    lengths = summarize_lengths([*range(100, 1100, 10), 3000])

    assert (101, 600, 3000) == (lengths.conversations, lengths.median, lengths.longest)
    assert lengths.p95 in range(1040, 1060)
    assert 101 == sum(lengths.histogram)
    assert {"TRL": 8, "Axolotl": 59, "LLaMA-Factory": 1, "Unsloth": 1} == lengths.over_default
    assert "TRL's default of 1,024 tokens would cut 8 of 101." in describe_defaults(lengths)
    assert "Axolotl's default of 512 tokens would drop 59 of 101." in describe_defaults(lengths)


def test_the_length_of_recipes_holds_text_of_which_each_digit_is_a_token() -> None:
    text = "I pay $1,234.56 of it and keep $98,765.43 for us. " * 280
    tokens = len(re.findall(r"[A-Za-z]+|[^A-Za-z\s]", text))
    estimate = summarize_lengths([estimate_tokens([text])])

    assert 1.1 * estimate.longest < 4096 < tokens < choose_length(estimate)


def test_short_ones_need_no_warning() -> None:
    lengths = summarize_lengths([40])

    assert () == describe_defaults(lengths)
    assert 512 == choose_length(lengths)
    assert 35 == estimate_tokens(["x" * 40, "y" * 60])


def test_an_estimate_says_that_it_is_one_and_recipes_leave_less_where_tokens_were_counted() -> None:
    estimated, counted = summarize_lengths([900]), summarize_lengths([900], "a tokenizer of 10")

    assert describe_lengths(estimated).startswith("Tokens, estimated at four characters each: median 900")
    assert describe_lengths(counted).startswith("Tokens of a tokenizer of 10: median 900")
    assert (2048, 1024) == (choose_length(estimated), choose_length(counted))

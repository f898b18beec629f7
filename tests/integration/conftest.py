"""One analyst for each test."""

from collections.abc import Iterator

import pytest

from core.adapters.supabase.session import Analyst
from core.config import Settings
from tests.integration.acting import ActingAnalyst, act_as
from tests.support.stack import sign_up


@pytest.fixture
def analyst(seeded: Settings) -> Iterator[Analyst]:
    with sign_up(seeded) as opened:
        yield opened


@pytest.fixture
def acting(seeded: Settings, analyst: Analyst) -> Iterator[ActingAnalyst]:
    with act_as(seeded, analyst.user_id) as opened:
        yield opened

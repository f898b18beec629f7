"""What several pages read of the database, a little old at most."""

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batches.estimate import GenerationHistory
from core.domain.batches.result_options import ResultOptions
from core.services.batches import find_history
from core.services.scaffolding import Choices
from core.ui.shell.session import find_settings


@st.cache_resource(scope="session", ttl=30, show_spinner="Reading personas, arcs and topics …")
def load_choices(_services: PageServices, user: str) -> Choices:  # noqa: ARG001 - `user` is the cache's key
    """Return what is active, at most half a minute old."""
    return _services.scaffolding.list_choices()


@st.cache_resource(scope="session", ttl=30, show_spinner=False)
def load_result_options(_services: PageServices, user: str) -> ResultOptions:  # noqa: ARG001 - `user` is the cache's key
    """Return what results can be filtered by, at most half a minute old."""
    return _services.failures.list_options()


def find_own_history(services: PageServices, model: str) -> GenerationHistory | None:
    """Return what the model has taken so far, with Claude as it is now."""
    return find_history(_load_history(services, services.user_email), model, simulated=find_settings().simulated)


@st.cache_resource(scope="session", ttl=10, show_spinner=False)
def _load_history(_services: PageServices, user: str) -> tuple[GenerationHistory, ...]:  # noqa: ARG001 - the cache's key
    """Return time and cost of past items, at most ten seconds old."""
    return _services.batches.list_history()

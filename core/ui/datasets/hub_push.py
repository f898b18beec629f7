"""The push of a version to the Hugging Face Hub, with a token that is typed for it and forgotten.

The token of the process (HF_TOKEN) is for the command line: pages hold no secret.
"""

from collections.abc import Callable

import streamlit as st
from pydantic import SecretStr

from core.bootstrap import PageServices
from core.domain.datasets.plans import Dataset, DatasetVersion
from core.domain.datasets.token_lengths import TokenMeasure
from core.errors import HubUnavailable, InvalidRequest
from core.services.dataset_export import ExportOptions
from core.services.dataset_publication import Publication, describe_publication
from core.ui.shell.formats import escape_markdown, escape_message
from core.ui.shell.page import leave_notice

TOKEN, PRESSES, OUTCOME = "push_token", "push_presses", "push_outcome"
"""Session state: the beginning of the field's name, how often it was used, what came of the last press."""
LONGEST_NAME = 200


def draw_push(
    services: PageServices,
    dataset: Dataset,
    version: DatasetVersion,
    options: ExportOptions,
    measure: TokenMeasure,
    *,
    close: Callable[[], None],
) -> None:
    """Draw repository, token and button; push when it is pressed, and say what came of it."""
    number: int = st.session_state.get(PRESSES, 0)
    # A form sends the token with the press alone, and each press has a field of its own: what was typed goes with it.
    with st.form("push", border=False):
        left, right = st.columns(2, gap="small", vertical_alignment="bottom")
        repository = left.text_input("Repository", max_chars=LONGEST_NAME, key="push_repository", placeholder="OWNER/NAME")
        given = right.text_input(
            "Token that may write",
            type="password",
            key=f"{TOKEN}_{number}",
            autocomplete="off",
            placeholder="None: only show what would go",
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            is_public = st.toggle("Public", key="push_public", help="A new repository is private otherwise.")
            st.caption("The token is used for this push alone: never kept, logged or shown.", width="content")
            st.space("stretch")
            pressed = st.form_submit_button(
                f"Push version {version.number}",
                icon=":material/cloud_upload:",
                type="primary",
                disabled=not options.formats,
                key="push_version",
            )
    if pressed:
        st.session_state[PRESSES] = number + 1
        token = SecretStr(given.strip()) if given.strip() else None
        from core.dataset_bootstrap import make_publisher  # noqa: PLC0415 - with Parquet, which takes a while to load

        publisher = make_publisher(services.datasets)
        st.session_state[OUTCOME] = _try(
            lambda: publisher.publish(
                dataset, version, options, repository.strip(), is_private=not is_public, token=token, measure=measure
            )
        )
        st.rerun()
    _draw_outcome(version, close=close)


def _try(publish: Callable[[], Publication]) -> Publication | str:
    """Return what was pushed or would be, or why not."""
    try:
        with st.spinner("Writing and uploading …"):
            return publish()
    except (InvalidRequest, HubUnavailable) as error:
        return str(error)


def _draw_outcome(version: DatasetVersion, *, close: Callable[[], None]) -> None:
    """Say once what came of the press before."""
    outcome: Publication | str | None = st.session_state.pop(OUTCOME, None)
    if outcome is None:
        return
    if isinstance(outcome, str):
        st.error(escape_message(outcome), icon=":material/error:")
        return
    told = describe_publication(outcome, version)
    if outcome.address is not None:
        close()
        leave_notice(told)
        st.rerun()
    st.info(escape_markdown(f"Without a token: {told}"), icon=":material/info:")
    st.code("\n".join(f"{size:>12,} bytes  {path}" for path, size in outcome.bytes_by_file.items()), language=None)

"""The push of a version to the Hugging Face Hub, with a token that is typed for it and forgotten.

The token of the process (HF_TOKEN) is for the command line: pages hold no secret.
"""

from collections.abc import Callable

import streamlit as st
from pydantic import SecretStr

from core.bootstrap import PageServices
from core.domain.datasets.plans import Dataset, DatasetVersion
from core.domain.datasets.token_lengths import TokenMeasure
from core.services.dataset_export import ExportOptions
from core.services.dataset_publication import describe_publication
from core.ui.shell.formats import escape_markdown
from core.ui.shell.page import leave_notice

TOKEN, PUSHED_WITH = "push_token", "push_with"
"""The field, which is empty after each press, and the token of the press until it is used in the same run."""
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
    """Draw repository, token and button; push when it is pressed. Raises InvalidRequest and HubUnavailable."""
    left, right = st.columns(2, gap="small", vertical_alignment="bottom")
    repository = left.text_input("Repository", max_chars=LONGEST_NAME, key="push_repository", placeholder="OWNER/NAME")
    right.text_input(
        "Token that may write", type="password", key=TOKEN, autocomplete="off", placeholder="None: only show what would go"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        is_public = st.toggle("Public", key="push_public", help="A new repository is private otherwise.")
        st.caption("The token is used for this push alone: never kept, logged or shown.", width="content")
        st.space("stretch")
        pressed = st.button(
            f"Push version {version.number}",
            icon=":material/cloud_upload:",
            type="primary",
            disabled=not options.formats,
            on_click=_take_token,
            key="push_version",
        )
    token: SecretStr | None = st.session_state.pop(PUSHED_WITH, None)
    if not pressed:
        return
    from core.dataset_bootstrap import make_publisher  # noqa: PLC0415 - Parquet and the Hub's library take a while to load

    with st.spinner("Writing and uploading …"):
        publication = make_publisher(services.datasets).publish(
            dataset, version, options, repository.strip(), is_private=not is_public, token=token, measure=measure
        )
    if publication.address is not None:
        close()
        leave_notice(describe_publication(publication, version))
        st.rerun()
    st.info(escape_markdown(f"Without a token: {describe_publication(publication, version)}"), icon=":material/info:")
    st.code("\n".join(f"{size:>12,} bytes  {path}" for path, size in publication.bytes_by_file.items()), language=None)


def _take_token() -> None:
    """Take the token out of its field, before anything is drawn."""
    given = st.session_state[TOKEN].strip()
    st.session_state[TOKEN] = ""
    st.session_state[PUSHED_WITH] = SecretStr(given) if given else None

"""What an export is to hold, as the analyst chooses it: formats, splits, system message, licence, tokenizer."""

from collections.abc import Mapping
from enum import StrEnum

import streamlit as st

from core.bootstrap import PageServices
from core.domain.datasets.plans import DatasetVersion, VersionId
from core.domain.datasets.splits import SplitMember, SplitRule, check_splits, describe_empty, describe_shared
from core.domain.datasets.token_lengths import TokenMeasure
from core.domain.datasets.training_formats import ASSISTANT_ROLE, TrainingFormat
from core.services.dataset_export import DEFAULT_LICENCE, ExportOptions, divide, make_split_member
from core.ui.datasets.lengths import draw_tokenizer_choice, make_measure
from core.ui.shell.formats import escape_markdown, format_words

FORMAT_LABELS = {
    TrainingFormat.MESSAGES_JSONL: "Chat messages, JSON Lines",
    TrainingFormat.MESSAGES_PARQUET: "Chat messages, Parquet",
    TrainingFormat.SHAREGPT: "ShareGPT, JSON Lines",
    TrainingFormat.PROMPT_COMPLETION: "Prompt and completion, JSON Lines",
}
LICENCES = (DEFAULT_LICENCE, "cc-by-4.0", "cc-by-nc-4.0", "cc0-1.0", "apache-2.0", "mit")
"""As the Hub names them; any other may be written."""
LONGEST_SYSTEM = 5_000


class SystemMessage(StrEnum):
    """What stands before each conversation."""

    NONE = "None"
    ROLE = "The assistant's role"
    TEXT = "A text"


def draw_options(services: PageServices, version: DatasetVersion) -> tuple[ExportOptions, TokenMeasure]:
    """Draw the choices and what they come to; raise InvalidRequest where they cannot be."""
    formats = st.multiselect(
        "Formats",
        list(TrainingFormat),
        default=[TrainingFormat.MESSAGES_JSONL],
        format_func=FORMAT_LABELS.__getitem__,
        key="export_formats",
    )
    shares = st.container()
    with st.expander("Options"):
        topics, personas = _draw_held_out(version)
        system = _draw_system()
        licence = st.selectbox(
            "License", LICENCES, key="export_license", accept_new_options=True, help="As the Hub names it; the card says so."
        )
        tokenizer = draw_tokenizer_choice("export_tokenizer")
    with shares:
        validation, test = _draw_shares(holds_out=bool(topics or personas))
        rule = SplitRule(
            validation_share=validation / 100,
            test_share=test / 100,
            held_out_topics=frozenset(topics),
            held_out_personas=frozenset(personas),
        )
        _draw_splits(services, version, rule)
    options = ExportOptions(formats=tuple(formats), split=rule, system=system, licence=licence or DEFAULT_LICENCE)
    return options, make_measure(tokenizer)


def _draw_shares(*, holds_out: bool) -> tuple[int, int]:
    left, right = st.columns(2, gap="small")
    validation = left.number_input("Validation, %", min_value=0, max_value=50, value=10, step=5, key="export_validation")
    test = right.number_input(
        "Test, %",
        min_value=0,
        max_value=45,
        value=0,
        step=5,
        key="export_test",
        disabled=holds_out,
        help="Where topics or personas are held out, these are the test split.",
    )
    return validation, 0 if holds_out else test


def _draw_held_out(version: DatasetVersion) -> tuple[list[str], list[str]]:
    counts: Mapping[str, Mapping[str, int]] = version.summary.get("counts", {})
    left, right = st.columns(2, gap="small")
    chosen: list[list[str]] = []
    for place, name, title in ((left, "topic", "Test on these topics"), (right, "persona", "Test on these personas")):
        chosen.append(
            place.multiselect(
                title,
                sorted(counts.get(name, {})),
                format_func=format_words,
                key=f"export_held_out_{name}",
                placeholder="None held out",
                help="All their conversations are the test split, so that it measures what was never seen.",
            )
        )
    return chosen[0], chosen[1]


def _draw_system() -> str | None:
    choice = st.radio("System message", list(SystemMessage), key="export_system", horizontal=True)
    if choice is SystemMessage.NONE:
        return None
    given = ASSISTANT_ROLE if choice is SystemMessage.ROLE else ""
    text = st.text_area(
        "It says", value=given, max_chars=LONGEST_SYSTEM, height=110, key=f"export_system_{choice.name.lower()}"
    )
    return text.strip() or None


@st.cache_resource(scope="session", max_entries=4, show_spinner="Reading the version …")
def _load_members(_services: PageServices, version_id: VersionId, _version: DatasetVersion) -> tuple[SplitMember, ...]:  # noqa: ARG001 - `version_id` is the cache's key
    """Return what splits need to know of a version; it never changes."""
    return tuple(map(make_split_member, _services.datasets.read_version(_version)))


def _draw_splits(services: PageServices, version: DatasetVersion, rule: SplitRule) -> None:
    """Say how the version is divided, and what the parts share."""
    members = _load_members(services, version.id, version)
    assigned, sizes = divide(members, rule)
    parts = " · ".join(f"{escape_markdown(split.value)} **{size:,}**" for split, size in sizes.items())
    shared = "; ".join(map(describe_shared, check_splits(members, assigned)))
    told = escape_markdown(f"{shared[:1].upper()}{shared[1:]}." if shared else "All of it is training data.")
    st.markdown(f"{parts} :gray[· {told}]")
    for sentence in describe_empty(rule, sizes):
        st.warning(escape_markdown(sentence), icon=":material/warning:")

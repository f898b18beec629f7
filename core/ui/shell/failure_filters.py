"""The filters of failures on Failed Generations and in the Failure Analytics, by the same names in the link."""

from collections.abc import Callable, Mapping

import streamlit as st

from core.domain.batches.batch import Effort
from core.domain.batches.result_options import Option, ResultOptions
from core.domain.batches.results import FailureFilters
from core.domain.diagnosis.fingerprint import label_fingerprint
from core.domain.diagnosis.plain_names import NONE, name_failure_type, name_pattern, name_stop_reason
from core.domain.scaffolding.records import ConversationCategory
from core.domain.verdict.reply import StopReason
from core.domain.verdict.verdict import FailurePattern, FailureType
from core.ui.shell.formats import escape_markdown, format_words
from core.ui.shell.link_state import (
    DATES,
    HOUR,
    WITH,
    change_link,
    draw_choice,
    draw_clear,
    draw_dates,
    draw_flag,
    draw_search,
    drop_unreadable,
    find_hour,
    find_moments,
    read_dates,
    read_hour,
    read_span,
    read_uuid,
    read_whole,
)
from core.ui.shell.links import BATCH, EXPERIMENT, FAILURE, open_filtered_failures

TYPE, STOP_REASON, PATTERN, MODEL, TEXT = "type", "stop_reason", "pattern", "model", "text"
PERSONA, ARC, TOPIC, TEMPLATE = "persona", "arc", "topic", "template"
FINGERPRINT, TURN, SHARE_BIN = "fingerprint", "turn", "tokens"
TOPIC_CATEGORY, CATEGORY, STRUCTURED, MAX_TOKENS = "topic_category", "category", "structured", "max_tokens"
EFFORT, PROMPT, IMPORTS = "effort", "prompt", "imports"
RARE = (FINGERPRINT, TURN, SHARE_BIN, TOPIC_CATEGORY, CATEGORY, STRUCTURED, MAX_TOKENS, EFFORT, PROMPT, HOUR, IMPORTS)
"""Filters that a click on a chart sets; each is shown while it is set, with a button that removes it."""
NAMES = (TYPE, STOP_REASON, PATTERN, BATCH, MODEL, DATES, PERSONA, ARC, TOPIC, TEMPLATE, TEXT, *RARE)
ON_OFF = {"on": "on", "off": "off"}
READERS: Mapping[str, Callable[[str], object | None]] = {
    **dict.fromkeys((BATCH, PERSONA, ARC, TOPIC, TEMPLATE, FAILURE, EXPERIMENT), read_uuid),
    **dict.fromkeys((SHARE_BIN, MAX_TOKENS), read_whole),
    TURN: lambda name: read_whole(name) or None,
    DATES: read_dates,
    HOUR: read_hour,
    IMPORTS: lambda name: st.query_params[name] == WITH or None,
    STRUCTURED: lambda name: ON_OFF.get(st.query_params[name]),
    PROMPT: lambda name: next((end for end in read_span(name) if end is not None), None),
}
"""Parsers of parameters that are not free text."""
LONGEST_SEARCH = 200


def read_failure_filters() -> FailureFilters:
    """Return the filters of the link; an invalid id filters nothing."""
    link, days, hour, turn = st.query_params, read_dates(), read_hour(), read_whole(TURN)
    begin, end = (None, None) if days is None else find_moments(days, st.context.timezone)
    if hour is not None:
        first, last = find_hour(hour, st.context.timezone)
        begin, end = max(begin or first, first), min(end or last, last)
    how_they_failed = FailureFilters(
        failure_type=link.get(TYPE) or None,
        stop_reason=link.get(STOP_REASON) or None,
        truncation_pattern=link.get(PATTERN) or None,
        batch_id=read_uuid(BATCH),
        date_from=begin,
        date_to=end,
        text=link.get(TEXT, "")[:LONGEST_SEARCH].strip() or None,
        fingerprint=link.get(FINGERPRINT) or None,
        turn_index=None if not turn else turn - 1,
        limit_share_bin=read_whole(SHARE_BIN),
        with_imports=link.get(IMPORTS) == WITH or None,
    )
    return how_they_failed.model_copy(update=read_mark(link).model_dump(exclude_none=True))


def read_mark(link: Mapping[str, str]) -> FailureFilters:
    """Return the filters on settings of a link or of a suspect's mark."""
    prompt_from, prompt_to = read_span(PROMPT, link)
    return FailureFilters(
        persona_id=read_uuid(PERSONA, link),
        emotional_arc_id=read_uuid(ARC, link),
        training_topic_id=read_uuid(TOPIC, link),
        template_id=read_uuid(TEMPLATE, link),
        model=link.get(MODEL) or None,
        topic_category=link.get(TOPIC_CATEGORY) or None,
        conversation_category=link.get(CATEGORY) or None,
        structured_outputs={"on": True, "off": False}.get(link.get(STRUCTURED, "")),
        max_tokens=read_whole(MAX_TOKENS, link),
        effort=link.get(EFFORT) or None,
        prompt_from=prompt_from,
        prompt_to=prompt_to,
    )


def show_failures(mark: Mapping[str, str]) -> None:
    """Go to the failures of a mark, with the filters of this page, too; stay if the mark has none."""
    if not mark:
        return
    kept = {name: value for name, value in st.query_params.items() if name in NAMES and value}
    if {DATES, HOUR} & mark.keys():
        kept = {name: value for name, value in kept.items() if name not in (DATES, HOUR)}
    open_filtered_failures({**kept, **mark})


def draw_failure_filters(options: ResultOptions) -> None:
    """Draw the common filters in two rows, and under them the rare ones that are set."""
    drop_unreadable(READERS)
    with st.grid(7, min_column_width=140, gap="xsmall") as grid:
        draw_choice(TYPE, "Type", {code: name_failure_type(code) for code in FailureType})
        draw_choice(STOP_REASON, "Stop reason", {code: name_stop_reason(code) for code in (*StopReason, NONE)})
        draw_choice(PATTERN, "Pattern", {code: name_pattern(code) for code in (*FailurePattern, NONE)})
        draw_choice(BATCH, "Batch", name_options(options.batches))
        draw_choice(MODEL, "Model", {model: model for model in options.models})
        with grid.cell(column_span=2):  # Two dates are as long as two names.
            draw_dates("Days of the failures")
        draw_choice(PERSONA, "Persona", name_options(options.personas))
        draw_choice(ARC, "Arc", name_options(options.arcs))
        draw_choice(TOPIC, "Topic", name_options(options.topics))
        draw_choice(TEMPLATE, "Template", name_options(options.templates))
        draw_search(TEXT, "Search the text", "Words, or beginnings of words, in details, error message and reply")
        with grid.cell(column_span=2), st.container(horizontal=True, gap="xsmall"):
            with st.popover("More", icon=":material/tune:", width="stretch"):
                draw_choice(CATEGORY, "Category", {category: category.value for category in ConversationCategory})
                draw_choice(STRUCTURED, "Structured output", ON_OFF, placeholder="Structured output: on or off")
                draw_choice(EFFORT, "Effort", {effort: effort.value for effort in Effort} | {NONE: "Model default"})
                draw_flag(IMPORTS, "With imported ones", "Imported batches are left out, unless a batch is chosen")
            draw_clear(NAMES)
    _draw_rare(st.query_params)


def describe_rare(link: Mapping[str, str]) -> dict[str, str]:
    """Return in words, by parameter, the filters that have no place in the two rows."""
    words: dict[str, Callable[[str], str]] = {
        FINGERPRINT: lambda key: f"Failure signature: {label_fingerprint(key)}",
        TURN: lambda number: f"Turn {number}",
        SHARE_BIN: _describe_share_bin,
        TOPIC_CATEGORY: lambda key: f"Topics: {format_words(key)}",
        CATEGORY: lambda key: f"Category: {key}",
        STRUCTURED: lambda state: f"Structured output {state}",
        MAX_TOKENS: lambda number: f"Max output tokens {number}",
        EFFORT: lambda effort: f"Effort: {'model default' if effort == NONE else effort}",
        PROMPT: lambda span: f"Prompt of {span.replace('..', ' to ')} characters",
        HOUR: lambda hour: f"Hour: {hour.replace('T', ', ')}:00",
        IMPORTS: lambda _: "With imported ones",
    }
    return {name: words[name](link[name]) for name in RARE if link.get(name)}


def _draw_rare(link: Mapping[str, str]) -> None:
    with st.container(horizontal=True, gap="xsmall"):  # Also without any: what follows keeps its place.
        for name, text in describe_rare(link).items():
            st.button(
                escape_markdown(text[:90]),
                key=f"without_{name}",
                icon=":material/close:",
                help="Remove this filter",
                on_click=change_link,
                args=({name: None},),
            )


def _describe_share_bin(number: str) -> str:
    if not number.isdecimal():
        return f"{number} of max output tokens"
    share = int(number) * 5
    return "All of max output tokens used" if share >= 100 else f"{share}-{share + 5} % of max output tokens used"  # noqa: PLR2004


def name_options(options: tuple[Option, ...]) -> dict[str, str]:
    """Return names by the id that the link holds."""
    return {str(option.id): option.name for option in options}

"""The settings of a batch, of the generator and of a top-up: the session keeps them for both."""

import streamlit as st
from pydantic import ValidationError

from core.config import PageSettings
from core.domain.batches.batch import MAX_OUTPUT_TOKENS, BatchSettings, Effort, ErrorHandling
from core.domain.batches.pricing import MODELS, PRICES_AS_OF, PRICES_SOURCE, find_price
from core.errors import InvalidRequest
from core.ui.shell.formats import escape_markdown

NO_EFFORT = "default"
ERROR_HANDLING_LABELS = {
    ErrorHandling.CONTINUE: "Continue",
    ErrorHandling.STOP: "Stop the batch",
}


def set_settings(settings: BatchSettings) -> None:
    """Set the settings; only before they are drawn."""
    for name, value in settings.model_dump().items():
        st.session_state[_key(name)] = NO_EFFORT if name == "effort" and value is None else value


def draw_settings(defaults: PageSettings) -> BatchSettings:
    """Draw the advanced settings, folded up; raise InvalidRequest that names what is wrong."""
    with st.expander("Advanced", icon=":material/tune:"):
        models = list(dict.fromkeys((defaults.model, *MODELS)))
        model = st.selectbox("Model", models, key=_key("model"), accept_new_options=True, persist_state="session")
        _draw_price(str(model or ""))
        left, right = st.columns(2, gap="small")
        max_tokens = left.number_input(
            "Max output tokens",
            min_value=1,
            max_value=MAX_OUTPUT_TOKENS,
            value=defaults.max_tokens,
            step=1024,
            key=_key("max_tokens"),
            persist_state="session",
        )
        concurrency = right.number_input(
            "Parallel calls",
            min_value=1,
            max_value=200,
            value=defaults.concurrency,
            step=1,
            key=_key("concurrency"),
            persist_state="session",
        )
        efforts = [NO_EFFORT, *Effort]
        effort = st.selectbox(
            "Effort",
            efforts,
            index=efforts.index(defaults.effort or NO_EFFORT),
            format_func=lambda value: "Model default" if value == NO_EFFORT else str(value),
            key=_key("effort"),
            persist_state="session",
        )
        error_handling = st.radio(
            "When an item fails",
            list(ErrorHandling),
            format_func=lambda value: ERROR_HANDLING_LABELS[ErrorHandling(value)],
            horizontal=True,
            key=_key("error_handling"),
            persist_state="session",
        )
        structured = st.toggle(
            "Structured output",
            value=defaults.structured_outputs,
            help="Claude is held to the conversation's JSON schema.",
            key=_key("structured_outputs"),
            persist_state="session",
        )
        safeguards = _draw_safeguards()
    try:
        return BatchSettings.model_validate(
            safeguards
            | {
                "model": model or "",
                "max_tokens": max_tokens,
                "effort": None if effort == NO_EFFORT else effort,
                "structured_outputs": structured,
                "concurrency": concurrency,
                "error_handling": error_handling,
            }
        )
    except ValidationError as error:
        problems = "; ".join(f"{str(e['loc'][0]).replace('_', ' ')}: {e['msg']}" for e in error.errors())
        raise InvalidRequest(f"Check the advanced settings: {problems}") from error


def _draw_safeguards() -> dict[str, object]:
    left, right = st.columns(2, gap="small")
    budget_usd = left.number_input(
        "Budget, USD",
        min_value=0.01,
        value=None,
        step=1.0,
        placeholder="None",
        key=_key("budget_usd"),
        help="The batch pauses automatically before it spends more, calls in flight included.",
        persist_state="session",
    )
    canary_items = right.number_input(
        "Canary",
        min_value=0,
        value=0,
        step=1,
        key=_key("canary_items"),
        help="Generate this many first, spread over the grid; the rest only if at most 30 % of them fail.",
        persist_state="session",
    )
    raise_max_tokens = st.toggle(
        "Raise max output tokens once",
        help="A reply cut off by max output tokens is retried once with twice as many. The cut attempt stays recorded.",
        key=_key("raise_max_tokens"),
        persist_state="session",
    )
    return {"budget_usd": budget_usd, "canary_items": canary_items, "raise_max_tokens": raise_max_tokens}


def _draw_price(model: str) -> None:
    price = find_price(model)
    if price is None:
        st.caption(f"No price is known for {escape_markdown(model)}: its cost will not be shown.")
    else:
        source = f"[{PRICES_AS_OF}]({PRICES_SOURCE})"
        st.caption(f"\\${price.input_usd} in, \\${price.output_usd} out per million tokens ({source})")


def _key(name: str) -> str:
    return f"option_{name}"

"""The link of the Bulk Generator: what goes in comes out, whatever a link holds."""

from hypothesis import given
from hypothesis import strategies as st

from core.domain.batches.batch import BatchSettings, Effort, ErrorHandling, Selection, SkipExisting
from core.domain.scaffolding.records import ConversationCategory
from core.services.choice_links import decode_choices, encode_choices
from core.services.scaffolding import ScaffoldingService
from tests.factories import make_scaffolding, make_selection, make_settings

CHOICES = ScaffoldingService(store=make_scaffolding()).list_choices()
DEFAULTS = make_settings()


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    category = draw(st.sampled_from(ConversationCategory))

    def some(rows: tuple) -> tuple:
        chosen = draw(st.sets(st.sampled_from(rows).map(lambda row: row.id)))
        return tuple(row.id for row in rows if row.id in chosen)

    return Selection(
        category=category,
        persona_ids=some(CHOICES.personas),
        arc_ids=some(CHOICES.arcs_of(category)),
        topic_ids=some(CHOICES.topics),
        limit=draw(st.none() | st.integers(1, 10**6)),
        skip_existing=draw(st.none() | st.sampled_from(SkipExisting)),
        per_combination=draw(st.integers(1, 1_000)),
    )


SETTINGS = st.builds(
    BatchSettings,
    model=st.sampled_from(["claude-sonnet-5-5", "another model&name=x", "größer"]),
    max_tokens=st.integers(1, 128_000),
    effort=st.none() | st.sampled_from(Effort),
    structured_outputs=st.booleans(),
    concurrency=st.integers(1, 200),
    error_handling=st.sampled_from(ErrorHandling),
    raise_max_tokens=st.booleans(),
    budget_usd=st.none() | st.floats(0.01, 10_000),
    canary_items=st.integers(0, 100),
)


@given(selection=selections(), settings=SETTINGS)
def test_what_a_link_was_made_of_comes_back(selection: Selection, settings: BatchSettings) -> None:
    linked = decode_choices(CHOICES, encode_choices(CHOICES, selection, settings, DEFAULTS), DEFAULTS)

    assert (linked.selection, linked.settings, linked.problems) == (selection, settings, ())


@given(st.dictionaries(st.sampled_from(["category", "personas", "topics", "limit", "skip", "effort", "zzz"]), st.text()))
def test_any_link_is_read_and_what_is_wrong_is_named(parameters: dict[str, str]) -> None:
    linked = decode_choices(CHOICES, parameters, DEFAULTS)

    assert ("zzz" in parameters) == any(problem.startswith("zzz") for problem in linked.problems)


def test_all_of_a_kind_is_written_as_all_and_defaults_are_left_out() -> None:
    parameters = encode_choices(CHOICES, make_selection(3, 5, 20), DEFAULTS, DEFAULTS)

    assert parameters == {"category": "core", "personas": "all", "arcs": "all", "topics": "all"}


def test_unknown_keys_are_named_and_the_rest_is_kept() -> None:
    persona = CHOICES.personas[0]
    linked = decode_choices(CHOICES, {"personas": f"{persona.persona_key},nobody", "limit": "0"}, DEFAULTS)

    assert linked.selection.persona_ids == (persona.id,)
    assert linked.selection.limit is None
    assert any("nobody" in problem for problem in linked.problems)
    assert any(problem.startswith("limit") for problem in linked.problems)

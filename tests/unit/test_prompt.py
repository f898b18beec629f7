import pytest

from core.domain.scaffolding.prompt import PLACEHOLDERS, check_template, collect_values, render_prompt
from core.errors import TemplateInvalid
from core.scaffolding_data import load_emotional_arcs, load_personas, load_prompt_templates, load_training_topics

USER_PROMPT = (
    "{{ persona_name }} on {{ topic_name }}, {{ starting_emotion }} to {{ ending_emotion }}, "
    "{{ turn_count_min }} to {{ turn_count_max }} turns."
)


def test_every_placeholder_has_a_value_and_every_value_a_placeholder() -> None:
    values = collect_values(load_personas()[0], load_emotional_arcs()[0], load_training_topics()[0])

    assert set(values) == PLACEHOLDERS


def test_unknown_placeholder_is_named() -> None:
    assert ("Unknown placeholder {{ persona_shoe_size }}.",) == check_template("{{ persona_shoe_size }}", USER_PROMPT)


def test_missing_placeholder_is_named() -> None:
    problems = check_template("You write.", USER_PROMPT.replace("{{ topic_name }}", "money"))

    assert ("Missing placeholder {{ topic_name }}.",) == problems


@pytest.mark.parametrize("broken", ["{{ persona_name", "{% if %}", "{{ persona_name | nosuchfilter }}"])
def test_template_that_does_not_parse_is_refused(broken: str) -> None:
    assert "does not parse" in check_template(broken, USER_PROMPT)[0]


def test_empty_part_is_refused() -> None:
    assert ("The system prompt is empty.",) == check_template("  ", USER_PROMPT)


def test_prompt_with_a_hole_is_never_rendered() -> None:
    template = load_prompt_templates()[0].model_copy(update={"user_prompt": "{{ nothing }}"})

    with pytest.raises(TemplateInvalid, match="Unknown placeholder"):
        render_prompt(template, load_personas()[0], load_emotional_arcs()[0], load_training_topics()[0])


def test_template_cannot_reach_beyond_its_values() -> None:
    escape = "{{ persona_name.__class__.__mro__ }}"
    template = load_prompt_templates()[0].model_copy(update={"system_prompt": escape, "user_prompt": USER_PROMPT})

    with pytest.raises(TemplateInvalid, match="unsafe attribute"):
        render_prompt(template, load_personas()[0], load_emotional_arcs()[0], load_training_topics()[0])


def test_rendered_prompt_names_its_scaffolding_and_has_no_braces_left() -> None:
    arc = load_emotional_arcs()[0]
    template = next(t for t in load_prompt_templates() if t.emotional_arc_id == arc.id)

    prompt = render_prompt(template, load_personas()[0], arc, load_training_topics()[0])

    assert prompt.system.endswith(f'topic="{load_training_topics()[0].topic_key}" template="{template.template_key}"/>')
    assert "{{" not in prompt.text

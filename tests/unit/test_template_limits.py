"""What a template may be: placeholders, loops over lists and conditions; whatever else it is, it is refused in words."""

import random
from typing import Any

import pytest

from core.domain.scaffolding.prompt import check_template, render_prompt
from core.domain.scaffolding.records import Persona, PromptTemplate, TrainingTopic
from core.domain.scaffolding.template_filling import MAX_PROMPT_CHARACTERS
from core.domain.scaffolding.template_language import MAX_TEMPLATE_CHARACTERS
from core.errors import TemplateInvalid
from core.scaffolding_data import load_emotional_arcs, load_personas, load_prompt_templates, load_training_topics

REQUIRED = (
    "{{ persona_name }} on {{ topic_name }}, {{ starting_emotion }} to {{ ending_emotion }}, "
    "{{ turn_count_min }} to {{ turn_count_max }} turns."
)


def make_template(system_prompt: str, user_prompt: str = REQUIRED) -> PromptTemplate:
    return load_prompt_templates()[0].model_copy(update={"system_prompt": system_prompt, "user_prompt": user_prompt})


def make_persona(**changes: Any) -> Persona:
    return load_personas()[0].model_copy(update=changes)


def make_topic(**changes: Any) -> TrainingTopic:
    return load_training_topics()[0].model_copy(update=changes)


def render(system_prompt: str, persona: Persona | None = None, topic: TrainingTopic | None = None) -> str:
    prompt = render_prompt(
        make_template(system_prompt), persona or make_persona(), load_emotional_arcs()[0], topic or make_topic()
    )
    return prompt.system.partition("\n\n<scenario")[0]


def test_loops_go_over_lists_and_know_where_they_are() -> None:
    topic = make_topic(key_concepts=("rent", "rate", "term"))
    text = "{% for c in topic_key_concepts %}{{ loop.index }} {{ c }}{% if not loop.last %}, {% endif %}{% endfor %}"

    assert render(text, topic=topic) == "1 rent, 2 rate, 3 term"


def test_a_loop_over_nothing_writes_its_else() -> None:
    text = "{% for c in topic_key_concepts %}{{ c }}{% else %}none{% endfor %}"

    assert render(text, topic=make_topic(key_concepts=())) == "none"


def test_facts_are_a_list_of_name_and_text() -> None:
    persona = make_persona(demographics={"age": "41", "home_town": "Oslo"})

    assert render("{{ persona_demographics }}", persona) == "- age: 41\n- home town: Oslo"
    assert render("{{ persona_demographics | join('; ') }}", persona) == "age: 41; home town: Oslo"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("topic_key_concepts", True),
        ("not topic_key_concepts", False),
        ("'rent' in topic_key_concepts", True),
        ("'rent' not in topic_key_concepts", False),
        ("'Marc' in persona_name", True),
        ("persona_name == 'Marcus Chen' and turn_count_min > 1", True),
        ("persona_name != 'Marcus Chen' or turn_count_max <= 0", False),
        ("turn_count_min >= 1 and turn_count_min < 1000", True),
    ],
)
def test_conditions_choose(condition: str, holds: bool) -> None:  # noqa: FBT001 - a case of the table
    text = f"{{% if {condition} %}}yes{{% elif persona_name %}}no{{% endif %}}"

    assert render(text, make_persona(name="Marcus Chen"), make_topic(key_concepts=("rent",))) == ("yes" if holds else "no")


def test_values_may_be_written_in_other_letters() -> None:
    persona = make_persona(name=" Marcus chen ")

    assert (
        render("{{ persona_name | trim | upper }}, {{ persona_name | trim | title }}", persona) == "MARCUS CHEN, Marcus Chen"
    )


FOREIGN = {
    "{{ 1/0 }}": "arithmetic",
    "{{ 'x' * 10**10 }}": "arithmetic",
    "{{ persona_name ~ 'x' }}": "arithmetic",
    "{{ -turn_count_min }}": "arithmetic",
    "{{ range(10**9) }}": "a call",
    "{% for i in range(10**9) %}{{ i }}{% endfor %}": "a call",
    "{{ lipsum(n=1000) }}": "a call",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}": "a statement other",
    "{% set x = 1 %}": "a statement other",
    "{% include 'x' %}": "a statement other",
    "{% import 'x' as x %}": "a statement other",
    "{% extends 'x' %}": "a statement other",
    "{% block b %}{% endblock %}": "a statement other",
    "{% filter upper %}x{% endfilter %}": "a statement other",
    "{% with %}{% endwith %}": "a statement other",
    "{% autoescape true %}{% endautoescape %}": "a statement other",
    "{% for c in topic_key_concepts recursive %}{{ c }}{% endfor %}": "a loop other than",
    "{% for a, b in topic_key_concepts %}{{ a }}{% endfor %}": "a loop other than",
    "{% for c in topic_key_concepts if c %}{{ c }}{% endfor %}": "a loop other than",
    "{% for c in persona_name %}{{ c }}{% endfor %}": "as a list",
    "{% for persona_name in topic_key_concepts %}{% endfor %}": "a name already",
    "{{ persona_name.__class__ }}": "an unsafe attribute",
    "{{ persona_name.format(1) }}": "a call",
    "{{ persona_name[::-1] }}": "an index or a slice",
    "{{ persona_name['x'] }}": "an index or a slice",
    "{{ loop.index }}": "loop outside of a loop",
    "{{ 'a' if persona_name else 'b' }}": "`if` inside a placeholder",
    "{% if persona_name is defined %}{% endif %}": "a test",
    "{{ [1, 2] }}": "a value other",
    "{% if 1 < 2 < 3 %}{% endif %}": "more than two values",
    "{% if persona_name > 3 %}{% endif %}": "a comparison of a text with a number",
    "{% if 3 in topic_key_concepts %}{% endif %}": "a comparison of a number with a list",
    "{{ topic_key_concepts | join(persona_name) }}": "the filter join",
    "{{ persona_name | upper(1) }}": "the filter upper",
    "{{ persona_name | replace('a', 'aa') }}": "there is no filter replace",
    "{{ '%9999999d' | format(1) }}": "there is no filter format",
    r"{{ '\ud800' }}": "cannot be printed",
    r"{{ '\x00' }}": "cannot be printed",
    "{{ " + "9" * 5000 + " }}": "does not parse",
    "{{ 0x" + "f" * 5000 + " }}": "a number that is too large",
    "{{ 1e400 }}": "a number that is too large",
    "{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}": "nested too deeply",
    "{{ " + "not " * 2000 + "1 }}": "nested too deeply",
    "{{ 1 and " + "1 and " * 1000 + "1 }}": "inside one another",
    "{% if 1 %}" * 30 + "{% endif %}" * 30: "inside one another",
    "{{ persona_name }}" * 2000: "too many placeholders",
    "x" * (MAX_TEMPLATE_CHARACTERS + 1): "at most 50,000",
}


@pytest.mark.parametrize("text", FOREIGN, ids=lambda text: text[:50])
def test_what_is_not_in_the_language_is_refused_by_check_and_by_rendering(text: str) -> None:
    (problem,) = check_template(text, REQUIRED)

    assert FOREIGN[text] in problem
    assert problem.startswith("The system prompt ")
    assert len(problem) < 400
    with pytest.raises(TemplateInvalid) as refused:
        render(text)
    assert problem in str(refused.value)


def test_the_message_says_which_line_and_what_to_do_instead() -> None:
    (problem,) = check_template("You write.\n\nBe brief, {{ persona_name }}, {{ 1/0 }} times.", REQUIRED)

    assert problem == (
        "The system prompt uses arithmetic, which is not allowed (line 3: {{ 1/0 }}). "
        "Use placeholders, {% for %} over lists and {% if %}."
    )


def test_problems_of_both_texts_are_named() -> None:
    assert [problem[:15] for problem in check_template("{{ 1/0 }}", "{{ 2/0 }}")] == ["The system prom", "The user prompt"]


def test_many_unknown_placeholders_are_named_briefly() -> None:
    problems = check_template(" ".join(f"{{{{ {'x' * 500}{number} }}}}" for number in range(50)), REQUIRED)

    assert problems[-1] == "40 more unknown placeholders."
    assert sum(map(len, problems)) < 2000


NESTED = "".join(f"{{% for a{number} in topic_key_concepts %}}" for number in range(15)) + "{% endfor %}" * 15
UNBOUNDED = {
    "nested loops that write nothing": NESTED,
    "nested loops that write": NESTED.replace("{% endfor %}", "x{% endfor %}", 1),
    "a long loop of conditions": "{% for a in topic_key_concepts %}" + "{% if a %}{% endif %}" * 400 + "{% endfor %}",
    "searches": "{% for a in topic_key_concepts %}"
    + "{% if 'aaaaaaaab' in persona_financial_background %}{% endif %}" * 300
    + "{% endfor %}",
    "comparisons": "{% if topic_key_concepts == topic_key_concepts %}{% endif %}" * 300,
    "filters": "{% if persona_financial_background | title | lower | upper %}{% endif %}" * 200,
    "joins": "{% for a in topic_key_concepts %}{{ topic_key_concepts | join('-----') }}{% endfor %}",
    "insertions": "{% for a in topic_key_concepts %}{{ persona_financial_background }}{% endfor %}",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", UNBOUNDED.values(), ids=UNBOUNDED)
def test_a_template_that_would_run_or_grow_for_ever_is_stopped(text: str) -> None:
    assert check_template(text, REQUIRED) == ()
    persona, topic = make_persona(financial_background="a" * 100_000), make_topic(key_concepts=("x" * 50,) * 500)

    with pytest.raises(TemplateInvalid, match=r"loops run too often|longer than 250,000"):
        render(text, persona, topic)


def test_values_of_any_size_make_no_prompt_beyond_the_limit() -> None:
    with pytest.raises(TemplateInvalid, match="longer than 250,000"):
        render("x", make_persona(name="n" * (MAX_PROMPT_CHARACTERS + 1)))


def test_the_limit_is_that_of_both_texts_together() -> None:
    half = make_persona(financial_background="a" * (MAX_PROMPT_CHARACTERS // 2))
    both = "{{ persona_financial_background }}"
    arc, topic = load_emotional_arcs()[0], make_topic()

    assert len(render_prompt(make_template(both), half, arc, topic).text) > MAX_PROMPT_CHARACTERS // 2
    with pytest.raises(TemplateInvalid, match="longer than"):
        render_prompt(make_template(both, REQUIRED + both), half, arc, topic)


WORDS = (
    *("{{", "}}", "{%", "%}", "{#", "#}", "{%- -%}", "for c in", "if", "elif", "else", "endif", "endfor", "raw", "endraw"),
    *("set", "macro", "loop.index", "loop.last", "loop", "not", "and", "or", "in", "(", ")", "[", "]", "|", ",", ".", "=="),
    *("<", "+", "-", "*", "/", "~", ":", "join", "join(', ')", "upper", "trim", "c", "1", "0.5", "'x'", "true", "none"),
    *("topic_key_concepts", "persona_name", "persona_demographics", "turn_count_min", "{% for c in topic_key_concepts %}"),
    *("{% endfor %}", "{% if persona_name %}", "{% endif %}", "{{ persona_name }}"),
)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_typed_is_a_prompt_or_an_invalid_template(seed: int) -> None:
    chance = random.Random(seed)

    for _ in range(100):
        text = " ".join(chance.choices(WORDS, k=chance.randint(1, 30)))
        if check_template(text, REQUIRED):
            with pytest.raises(TemplateInvalid):
                render(text)
        else:
            assert isinstance(render(text), str)

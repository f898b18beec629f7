from core.domain.verdict.endings import Ending
from core.domain.verdict.habits import Habits
from core.domain.verdict.verdict import Confidence


def make_habits(turns: int, **endings: int) -> Habits:
    habits = Habits()
    habits.count_turns("user", turns)
    for name, count in endings.items():
        for _ in range(count):
            habits.count_ending("user", Ending(name))
    return habits


def test_where_a_third_ends_without_a_mark_that_is_no_sign_of_a_cut() -> None:
    assert make_habits(30, sentence=10).weigh("user", Ending.SENTENCE) is Confidence.LOW
    assert make_habits(30, sentence=9).weigh("user", Ending.SENTENCE) is Confidence.MEDIUM


def test_one_speakers_habit_is_not_the_others() -> None:
    habits = make_habits(30, sentence=30)
    habits.count_turns("assistant", 30)

    assert habits.weigh("assistant", Ending.SENTENCE) is Confidence.MEDIUM


def test_a_word_that_needs_another_is_sure_everywhere() -> None:
    assert make_habits(30, sentence=25, connective=1).weigh("user", Ending.CONNECTIVE) is Confidence.HIGH


def test_a_file_full_of_cuts_has_no_habit_of_ending_so() -> None:
    assert make_habits(30, sentence=20, connective=8).weigh("user", Ending.SENTENCE) is Confidence.MEDIUM


def test_many_unmarked_sentences_without_a_word_that_needs_another_are_a_habit_however_rare() -> None:
    assert make_habits(500, sentence=25, connective=1).weigh("user", Ending.SENTENCE) is Confidence.LOW
    assert make_habits(500, sentence=25, connective=5).weigh("user", Ending.SENTENCE) is Confidence.MEDIUM
    assert make_habits(500, sentence=15).weigh("user", Ending.SENTENCE) is Confidence.MEDIUM


def test_where_all_others_end_with_a_mark_its_lack_is_a_sign() -> None:
    assert make_habits(60, word=1).weigh("user", Ending.WORD) is Confidence.MEDIUM
    assert make_habits(60, word=2).weigh("user", Ending.WORD) is Confidence.LOW
    assert make_habits(1000, phrase=3, list=2).weigh("user", Ending.PHRASE) is Confidence.MEDIUM
    assert make_habits(1000, phrase=2, list=2).weigh("user", Ending.LIST) is Confidence.LOW
    assert make_habits(20, word=1).weigh("user", Ending.WORD) is Confidence.LOW


def test_few_turns_have_no_habit() -> None:
    assert make_habits(3, sentence=3).weigh("user", Ending.SENTENCE) is Confidence.MEDIUM

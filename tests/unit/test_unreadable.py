from core.adapters.supabase.reading import UnreadableRows, keep_readable
from core.domain.record import Record
from core.domain.unreadable import UnreadableRow, phrase_unreadable


class Thing(Record):
    thing_key: str
    number: int


def make_row(key: str, number: object = 1) -> dict[str, object]:
    return {"id": "17", "name": "Name", "thing_key": key, "number": number}


def test_rows_that_cannot_be_read_are_left_out_and_told_by_key() -> None:
    notes = UnreadableRows()

    read = keep_readable(Thing, [make_row("a"), make_row("b", "many"), make_row("c")], "thing", notes)

    assert ["a", "c"] == [thing.thing_key for thing in read]
    assert phrase_unreadable(notes.list_all()).startswith(
        "1 thing could not be read: b: number: Input should be a valid int"
    )


def test_what_is_no_row_at_all_is_left_out_too() -> None:
    notes = UnreadableRows()

    assert () == keep_readable(Thing, [None, 5, [], "row"], "thing", notes)
    assert [("not a row")] * 4 == [row.key for row in notes.list_all()]


def test_the_next_reading_of_a_kind_forgets_the_last_and_no_other_kind() -> None:
    notes = UnreadableRows()
    keep_readable(Thing, [make_row("a", None)], "thing", notes)
    keep_readable(Thing, [make_row("b", None)], "other", notes)

    keep_readable(Thing, [make_row("a")], "thing", notes)

    assert ["other"] == [row.what for row in notes.list_all()]


def test_a_reading_that_goes_on_adds_to_what_it_left_out() -> None:
    notes = UnreadableRows()
    for key in ("a", "b", "b"):
        keep_readable(Thing, [make_row(key, None)], "thing", notes, goes_on=key != "a")

    assert ["a", "b"] == [row.key for row in notes.list_all()]


def test_many_are_counted_and_a_few_are_named() -> None:
    rows = [UnreadableRow(what="thing", key=f"k{number}", problem="odd") for number in range(5)]

    assert phrase_unreadable(rows) == "5 things could not be read: k0: odd; k1: odd; k2: odd; and 2 more"

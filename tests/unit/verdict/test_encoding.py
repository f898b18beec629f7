"""Text read in another encoding than it was written in, for all scripts: made here by reading it so."""

import pytest

from core.domain.verdict.corruption import find_corruption
from core.domain.verdict.verdict import FailurePattern

SENTENCES = {
    "English": "You’ll need “three months” of costs — not more…",
    "German": "Über die Höhe der Gebühren möchte ich später sprechen.",
    "French": "L’été dernier, j’ai remboursé ma première carte à Orléans.",
    "Polish": "Proszę spłacić najpierw kartę, która kosztuje najwięcej złotych.",
    "Czech": "Nejdříve zaplaťte kartu, která má nejvyšší úrok.",
    "Turkish": "Önce faizi en yüksek olan kartı ödeyin, sonra diğerlerini.",
    "Vietnamese": "Trước hết hãy trả thẻ có lãi suất cao nhất.",
    "Russian": "Сначала погасите карту с самым высоким процентом.",
    "Greek": "Πρώτα εξοφλήστε την κάρτα με το υψηλότερο επιτόκιο.",
    "Hebrew": "קודם כל לשלם את הכרטיס עם הריבית הגבוהה.",
    "Arabic": "سدد أولا البطاقة ذات الفائدة الأعلى.",
    "Hindi": "पहले सबसे ऊँचे ब्याज वाला कार्ड चुकाइए।",
    "Thai": "จ่ายบัตรที่มีดอกเบี้ยสูงสุดก่อนนะคะ",
    "Chinese": "请先还利率最高的信用卡，然后再考虑房贷。",
    "Japanese": "まず一番金利の高いカードから返済しましょう。",
    "Korean": "가장 금리가 높은 카드부터 먼저 갚으세요.",
    "emoji": "We did it 🎉 and it is over.",
}
OTHER_LETTERS = {
    "Russian as Latin": "Сначала погасите карту.".encode("cp1251").decode("latin-1"),
    "Greek as Latin": "Πρώτα εξοφλήστε την κάρτα.".encode("cp1253").decode("latin-1"),
    "lost letters": "????? ???????? ?????.",
    "lost bytes": "The caf\ufffd is closed.",
    "Hebrew as Latin": "קודם כל לשלם את זה".encode("cp1255").decode("latin-1"),
    "KOI8 as Windows": "Сначала погасите карту.".encode("koi8-r").decode("cp1251"),
    "Windows as KOI8": "Сначала погасите карту.".encode("cp1251").decode("koi8-r"),
    "Russian as Macintosh": "Сначала погасите карту.".encode().decode("mac_roman"),
    "Chinese as GBK": "请先还，然后再考虑。".encode().decode("gb18030", "ignore"),
    "replaced twice": "数据锟斤拷损坏了。",
    "read as GBK": "You’ll see.".encode().decode("gb18030"),
    "quoted-printable": "You=E2=80=99ll see.",
}


@pytest.mark.parametrize("codec", ["latin-1", "cp1252"])
@pytest.mark.parametrize("sentence", SENTENCES.values(), ids=SENTENCES.keys())
def test_utf8_that_was_read_as_latin_is_found_in_any_script(sentence: str, codec: str) -> None:
    assert is_garbled(read_as(sentence, codec))


@pytest.mark.parametrize("codec", ["cp1250", "cp1251", "mac_roman", "gb18030"])
@pytest.mark.parametrize("language", ["German", "French", "Polish", "Czech", "Turkish"])
def test_utf8_that_was_read_in_another_encoding_is_found(language: str, codec: str) -> None:
    assert is_garbled(read_as(SENTENCES[language], codec))


@pytest.mark.parametrize("text", OTHER_LETTERS.values(), ids=OTHER_LETTERS.keys())
def test_other_ways_to_lose_letters_are_found(text: str) -> None:
    assert is_garbled(text)


@pytest.mark.parametrize("sentence", SENTENCES.values(), ids=SENTENCES.keys())
def test_text_of_any_script_as_it_was_written_is_no_damage(sentence: str) -> None:
    assert find_corruption(f"{sentence} {sentence.upper()}\n«{sentence}»") is None


@pytest.mark.parametrize(
    "text",
    [
        "Ela gritou: “ISSO É AMANHÔ.",
        "Não e NÃO… “MAÇÔ – “IRMÃ”!",
        "À Noël, Æsa et Øyvind iront à Zürich : « ça ira ».",
        "Ці слова «його» – її вибір… Він сказав: „Так“.",
        "What??? Really?? Yes.",
        "He asked: why? what? when?",
        "Set x=2 and =SUM(A1) in the sheet.",
        "我买了T恤和A股，用的是K线图。",
        "The symbols ÷, ×, ±, §, °, µ and ½ are fine.",
    ],
)
def test_letters_beside_marks_are_no_broken_encoding(text: str) -> None:
    assert find_corruption(text) is None


def is_garbled(text: str) -> bool:
    found = find_corruption(text)
    return found is not None and found.pattern is FailurePattern.GARBLED_TEXT


def read_as(text: str, codec: str) -> str:
    """Bytes that the codec does not know stay what they are, as browsers and editors read them."""
    return "".join(_read_byte(piece, codec) for piece in _split(text.encode(), codec))


def _split(data: bytes, codec: str) -> list[bytes]:
    return [data] if codec == "gb18030" else [bytes([byte]) for byte in data]


def _read_byte(piece: bytes, codec: str) -> str:
    try:
        return piece.decode(codec)
    except UnicodeDecodeError:
        return piece.decode("latin-1") if len(piece) == 1 else piece.decode(codec, errors="ignore")

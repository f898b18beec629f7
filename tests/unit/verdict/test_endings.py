"""Ends without a full stop, in files of others: whole ones of each kind, and cuts that look like them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.verdict.connectives import ends_with_connective
from core.domain.verdict.conversation import Role
from core.domain.verdict.truncation import detect_truncated_content
from core.domain.verdict.verdict import Confidence

WHOLE = {
    "choice": ["C) Adam Smith", "(3). 不够信息", "B. 检查结果", "(b) Dreams tell us little of what people are"],
    "word": ["Inflation", "Yes", "C", "quarterly", "是的", "不是", "对", "Of course not"],
    "phrase": ["Whole life insurance", "No, never", "Ja, gerne", "Oui, merci"],
    "amount": [
        "$3,400",
        "Around 12%",
        "Das sind rund 840 €",
        "It is 5 USD",
        "Version 2.0",
        "12 less 5 leaves 7.\n#### 7",
        "Environ 90 € par semaine",
        "18 °C",
        "It fell by 4%",
    ],
    "date": ["March 3, 2029", "12.05.2031"],
    "enumeration": ["Rent, food, fuel, water", "A, B, and C", "红色、蓝色、绿色"],
    "list": [
        "Take these:\n\n- passport\n- tax return\n- lease",
        "1. 房租\n2. 水电\n3. 保险",
        "Which one?\n\na) Bonds\nb) Shares\nc) Gold",
        "- [x] Budget\n- [ ] Letter of Will",
        "1. **Save**\n2. **Invest**",
    ],
    "table": ["| A | B |\n|---|---|\n| 1 | 2 |", "2001 | 4.1\n2002 | 4.3\n2003 | 4.4"],
    "verse": [
        "The morning comes, the night is gone\nand all the lamps burn on and on\nuntil the road is wide\nwith you beside",
    ],
    "code": [
        "It is:\n\ntotal = price * count\nprint(total)",
        "Run it:\n\n~~~\nls\n~~~",
        "<ul><li>One.</li></ul>",
        "<p>That is all.</p>",
    ],
    "formula": ["It is\n\n$$C = P(1 + i)^n$$", "So \\[x = \\frac{a}{b}\\]", "The result is \\boxed{7}"],
    "link": ["See https://www.example.org/a/b", "Write to desk@bank.example.co.uk", "We are done! #Saved"],
    "quotation": [
        '"Less is more." - Ludwig Mies',
        "«Tout passe»",
        "„Der Zauberberg“",
        "《论语》",
        "The fee is low (see page 4)",
    ],
    "signature": [
        "You will hear from me.\n\nBest,\nThe Lakeside Office",
        "Call me.\n\nMum",
        "Ich melde mich.\n\nViele Grüße\nPaula Brandt",
        "Le llamo el lunes.\n\nSaludos,\nLucía",
        "来週お送りします。\n\n敬具\n山本",
        "다음 주에 보내 드리겠습니다.\n\n감사합니다.\n이수진 드림",
    ],
    "chat": [
        "how do i close the old account",
        "gracias por todo ya me quedo claro",
        "спасибо большое теперь все ясно",
        "ok super vielen dank dir",
        "知道了，谢谢你啊",
        "よくわかりました、助かります",
        "네, 해볼게요 ㅋㅋ",
        "また忘れた（笑）",
        "Понял, спасибо)))",
        "terima kasih banyak ya",
    ],
    "emoji": [
        "We made it 🥳",
        "See you in spring 🇵🇹",
        "Part two 2️⃣",
        "It starts soon ⌛",
        "that was close ^^",
        "I lost it again :/",
    ],
    "labelled": ["Is it due?\n### Answer: It is due in May."],
    "blank": ["The word that is missing is ____", "B, C, E, H, L, ___"],
    "proof": ["Hence both cost the same. ∎"],
    "other marks": [
        "Τι θα κάνετε τώρα;",
        "कर्ज़ चुकाना ही सुख है॥",
        "အရင်ဆုံး ကြွေးဆပ်ပါ။",
        "ជំពាក់គេត្រូវសង។",
        "གཏན་འཁེལ་སོང་།",
        "መጀመሪያ ዕዳውን ይክፈሉ።",
        "ควรเริ่มจากบัตรที่แพงที่สุดก่อนนะคะ",
        "ຄວນຈ່າຍບັດທີ່ແພງກ່ອນ",
        "わかりました｡",
        "她说：“先还债。”",
    ],
}
CUT = [
    "Begin with the loan that costs the most, and put the rest asi",
    "Then we come to the part that",
    "about $900 a",
    "Etwa 2.3",
    "yesterday i called the bank and they",
    "It was her idea. The second one came from my",
    "These are the children's",
    "There is the card, the car and the",
    "What I would never sell is the house—",
    "You can get help, e.g.",
    "Please turn to the clerk on St.",
    "All of it costs $",
    "Siehe dazu Abb.",
    "Bel het nummer, o.a.",
    "Consulte a la Dra.",
    "Spotkajmy się przy ul.",
    "Всё видно ниже, см. рис.",
    "The bill was written by Sen.",
    "Das hängt davon ab, z. B.",
    "Nehmen Sie das Formular Nr.",
    "Fragen Sie bitte bei Fr. Dr.",
    "Il faut en parler avec M.",
    "Pregúntele usted al Sr.",
    "Ne parli con il dott.",
    "Лучше подождать, т. к.",
    "Ρωτήστε τον, π.χ.",
    "Do this. 1. Save a little. 2. Pay the card. 3.",
    "Do this:\n\n- save a little\n-",
    "Three things to take:\n\n- passport\n- lease",
    "Do this:\n\n1. **Save** - a little each month.\n2. **Pa",
    "Do this:\n\n- Rent: pay it first\n- Food: buy it weekly\n- Fu",
    "Save first.\n\n**2. The loan**",
    "Save first.\n\n## The loan",
    "Compare them:\n\n| Plan | Cost |\n|---|---|",
    "Compare them:\n\n| Plan | Cost |\n|---|---|\n| Basic | 1",
    "Compare them:\n\n| Plan | Cost | Time |\n|---|---|---|\n| Basic | 12",
    "Save first. **And now the good news 🎉",
    'She said "look at it all on www.example.org',
    "Read it here: https://www.examp",
    "We get $a = b^2$, and from it $c =",
    "Add the two: 14 + 3",
    '{"name": "Dana", "goals": ["house", "sch',
    "<ol><li>Save.</li><li>Pay.",
    "It works in the same way, but... [text truncated]",
    "First save. Then pay. (continued in the next reply)",
    "先存钱。（未完待续）",
    "Zuerst die Karte, danach das Haus und",
    "Primero la tarjeta y luego el",
    "Prima la carta, poi il",
    "Сначала карта, потом дом и",
    "先还最贵的那张卡，然后可以",
    "这本书可以看看：《穷爸爸",
    "まずカードから返",
    "먼저 카드를 갚고 나서 대출을",
    "ابدأ بالبطاقة ثم القرض الأكبر من",
    "पहले कार्ड चुकाइए और फिर बड़े कर्ज़ को",
    "Önce kartı ödeyin, sonra evi ve",
    "Najpierw karta, a potem kredyt, który",
    "เริ่มจากบัตรก่อน และ",
]


@pytest.mark.parametrize("text", [text for texts in WHOLE.values() for text in texts])
def test_whole_ends_without_a_full_stop_are_never_sure_to_be_cut(text: str) -> None:
    found = detect_truncated_content(text, Role.ASSISTANT)

    assert not found.is_truncated or found.confidence is Confidence.LOW, found


@pytest.mark.parametrize("text", CUT)
def test_cuts_are_likely_whatever_they_end_with(text: str) -> None:
    found = detect_truncated_content(text, Role.ASSISTANT)

    assert found.is_truncated
    assert found.confidence is not Confidence.LOW, found


@pytest.mark.parametrize(
    "text",
    [
        "No.",
        "I said no. No.",
        "We go with Plan C.",
        "They are all here, the cards, the loans, etc.",
        "It was made by Harper & Co.",
        "Solve it for a.",
        "Das gilt für Lohn, Miete usw.",
        "They moved to CA.",
    ],
)
def test_dots_that_end_a_sentence_are_none_of_an_abbreviation(text: str) -> None:
    found = detect_truncated_content(text)

    assert not found.is_truncated or found.confidence is Confidence.LOW, found


@pytest.mark.parametrize("text", ["Explain the rule of 72", "如何计算复利", "Write a letter to my landlord"])
def test_people_may_ask_without_a_full_stop(text: str) -> None:
    assert detect_truncated_content(text, Role.USER).confidence is Confidence.LOW


@pytest.mark.parametrize(
    "text",
    [
        "（这是真的)。",
        "利率（年化)是五，期限(月）是十。",
        "It lies in [0, 5) or in (5, 9].",
        "He called it “a gift“ and left.",
        "Is it “safe“?",
        "They are **大卡 **（Big）：好的。",
        'The code `print("` is cut on purpose.',
        "《红楼梦》很好看。",
    ],
)
def test_what_is_closed_in_another_way_is_not_open(text: str) -> None:
    assert not detect_truncated_content(text).is_truncated


WORDS = "the and und der que los é che het och który cu că ve của yang и что που في של که اور की এবং 和 を และ"


@pytest.mark.parametrize("word", WORDS.split())
def test_a_connective_needs_another_word(word: str) -> None:
    assert ends_with_connective(f"Abc {word}")
    assert not ends_with_connective(f"Abc {word} xyzzy")


@pytest.mark.parametrize("text", ["Translate it.\nText: Hello.\nOutput:", "Q: Is it red? A:", "红色吗？\n答案："])
def test_a_line_that_the_answer_goes_on_from_is_hardly_a_cut_of_one_who_asks(text: str) -> None:
    assert Confidence.LOW is detect_truncated_content(text, Role.USER).confidence
    assert Confidence.HIGH is detect_truncated_content(text, Role.ASSISTANT).confidence
    assert Confidence.HIGH is detect_truncated_content("Translate the text that follows:", Role.USER).confidence


@given(st.text(max_size=60), st.sampled_from(["the", "und", "который", "的时候和"]))
def test_words_behind_a_connective_are_missing_whatever_stands_before(before: str, word: str) -> None:
    found = detect_truncated_content(f"{before}\n\nZwei Worte {word}")

    assert found.is_truncated
    assert found.confidence is not Confidence.LOW

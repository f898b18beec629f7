"""Words that no sentence ends with: behind one of them, something is still to come.

A few for each language, chosen so that they mean nothing in the others: articles, conjunctions, possessives, prepositions
that stand before their noun. Words that can end a sentence in speech ("go on", "do it") are left out.
"""

import re

_WORDS = """
the a an and or but nor of from into with by for to at as than which whose who be been will would could should may might must
their your my our if when while because although though unless until whether where very they he she we i i'm it's they're
we're you're i'll you'll don't doesn't isn't aren't can't won't every per via upon toward towards between among within
without during against either neither not however therefore moreover furthermore additionally including especially even just
in and/or such

der das dem des ein eine einen einem einer eines und oder aber
sondern denn weil dass ob wenn als wie mit von vom zum zur beim
nach für durch gegen ohne wird werden wurde kann muss soll mein meine meinen dein deine ihre ihren ihrem unser unsere seine
seinen noch im am diese dieser diesen jede jeder welche welcher sowie bzw obwohl damit

le la les un une du de et ou donc que qui dont où ce cet
cette ces mon ma mes tes sa ses notre nos votre vos leur leurs au aux
dans pour avec sans sous sur chez vers sont étaient seront je il très comme quand lorsque parce afin ainsi

el los las una unos unas y pero sino porque cuyo del al con por para desde hasta sobre según fue fueron será su sus mis tus
nuestro nuestra muy como cuando donde cada también

os um uma uns umas e ou quem cujo da dos das nos nas ao aos à às com sem pelo pela pelos pelas até é são foi seu sua seus
suas meu minha nosso nossa quando onde

il gli ed ma però perché che cui dello della dei degli delle dal dalla al allo alla agli alle nel nello nella nei nelle sulla
è suo suoi mio mia nostro nostra quando anche ogni

het een maar omdat dat voor naar uit tussen zonder wordt worden heeft hebben moet zullen mijn jouw onze zeer

och eller att på av från till utan mellan är var deras mycket jag og at af fra til uten mellem

na od dla przez przy oraz że który która które których którego jak jeśli gdy bo ponieważ jest są był była było jej bardzo się
nie pro při nebo že který která které když protože je jsou byl byla bylo jejich velmi také

și să că cu în din pentru prin foarte és vagy de egy nagyon mutta että joka koska

ve veya ama fakat çünkü ki ile için olan bir bu şu çok

và hoặc nhưng vì nếu của với từ trong trên là các những rất để thì

dan atau tetapi karena yang di ke dari untuk dengan pada oleh adalah jika bahwa sangat para sebuah seorang lakini kwa katika

и а но или что чтобы который которая которое которые которых если когда потому в во на с со к ко о об от до для по при из над
между без через мой моя мои свой своя свои наш наша очень также не ни самый самая самое самые
і й та або але що щоб який яка яке які якщо коли від під дуже че което която които или ili koji koja koje

και ή αλλά γιατί που ότι αν όταν με από για στο στη στην στον στα στις στους των το την τον οι ο η τις ένα μια είναι ήταν θα
να δεν πολύ

في من إلى على عن مع أو و أن إن التي الذي الذين قد لم لن حيث إذا عند بين كل
של את על עם או כי אם אבל אל מן בין אשר
از به در با که و یا اما برای تا بر این آن هر اگر
کے کی کا کو سے اور یا لیکن کہ جو نے اگر جس جن
के की का को से में पर और या लेकिन कि जो ने अगर जिस जिन एक इस उस बहुत
এবং বা কিন্তু যে যদি এই সেই একটি খুব সবচেয়ে மற்றும் அல்லது ஆனால் ஒரு இந்த அந்த
"""
_CONNECTIVES = frozenset(_WORDS.split())

# Scripts that do not part words with blanks: what stands at the end, not the last word.
_WITHIN = re.compile(
    r"(?:(?<![总缓温柔])和|(?<!参)与|(?<![普涉波])及|[與或而但把被将將于於并並让讓]|(?<![现現存所实實内內自潜外正])在|是|"
    r"可以|能够|能夠|应该|應該|需要|因为|因為|所以|如果|虽然|雖然|通过|通過|根据|根據|关于|關於|为了|為了|一个|一個|一种|一種|"
    r"这个|這個|这些|這些|那些|其中|例如|包括|作为|也|很|更|最|第)\Z"
    r"|(?:[はがをにへと]|という|として|または|および|そして|しかし|ための|(?<=[一-龯])し)\Z"
    r"|(?:[을를는]|것[이은]|에서|으로|부터|까지|그리고|하지만|그러나|또는|위해|위한|대한)\Z"
    r"|(?:และ|หรือ|แต่|แล้วค่อย|เพราะ|ถ้า|ที่|ซึ่ง|ของ|ใน|จาก|กับ|เพื่อ|โดย|เป็น|คือ|จะ|ว่า)\Z"
    r"|(?:ກັບ|ແລະ|ຫຼື|ແຕ່|ທີ່|ຂອງ|ໃນ|និង|ឬ|ប៉ុន្តែ|ដែល|របស់|ក្នុង)\Z"
)
_LAST_WORD = re.compile(r"[^\s\d.,;:!?()\[\]{}\"“”«»„‘*_`|/\\<>=+~#@—–。，、]+\Z")
_LONGEST = 40


def ends_with_connective(text: str) -> bool:
    """Whether the last word is one that something must follow."""
    tail = text[-_LONGEST:]
    word = _LAST_WORD.search(tail)
    if word is None:
        return False
    last = word.group().replace("’", "'")
    # With a capital it is a name, a title or a letter: "vitamin A", "the WHO", "Last Will".
    if last in _CONNECTIVES or (len(tail) == len(last) and last.lower() in _CONNECTIVES):
        return True
    return _WITHIN.search(tail) is not None

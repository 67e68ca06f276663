"""How much sense bytes make as a text of each old encoding: by the letters and short words of the languages it is for.

charset-normalizer's ranking is asked where none of these languages fits. Alone it takes KOI8-R for Shift-JIS,
ISO-8859-2 for windows-1250 and EUC-JP for Big5 in texts of two lines, and never says that it isn't sure.
"""

from functools import cache
from typing import NamedTuple

LEAST = 0.8  # score of a guess
MARGIN = 0.04  # two scores this near to one another are no decision
WORDS = 0.3  # what common words can add to a score

# Language: its letters beside a to z, and some of its most common words, in their ASCII spelling.
LATIN: dict[str, tuple[str, str]] = {
    "English": ("éèêïöüñçâ", "the and of to is it in was for that this with not but have are on you my a i"),
    "French": ("àâçèéêëîïôùûüÿœæ", "le la les de des du et un une en est que qui pour dans pas sur ne il ce plus au a"),
    "German": ("äöüß", "der die das und ist nicht ein eine zu den mit auf es im von sehr ich war sich auch so"),
    "Spanish": ("áéíóúüñºª", "el la los las de que y en un una es no por con para se lo muy del su al pero a"),
    "Portuguese": ("àáâãçéêíóôõúü", "o a os as de que e em um uma não do da no na por com para se mais foi muito"),
    "Italian": ("àèéìíîòóùú", "il la le di che e un una in non per con del della è si sono ma da gli al molto a"),
    "Nordic": ("åäöæøéóàü", "och att det en som er og av på ikke den til med har jag jeg ett ja ei on se not for i"),
    "Dutch": ("éëïóüèö", "de het een en van is niet dat in op te zijn met voor maar er ik was aan heel"),
    "Polish": ("ąćęłńóśźż", "i w na nie jest do to co po za ze jak o od tak ale bardzo by dla ten film z a"),
    "Czech": ("áčďéěíňóřšťúůýž", "a v na je to se ze do pro jako za po by ale tak jsem s o i od co"),
    "Slovak": ("áäčďéíĺľňóôŕšťúýž", "a v na je to sa so do pre ako za po by ale tak som s o i od"),
    "Hungarian": ("áéíóöőúüű", "a az hogy nem egy is de ez volt meg csak mint van ha nagyon el ki s"),
    "Romanian": ("ăâîşţșț", "de la un o in nu pe cu este mai din care am ca a fost foarte sau dar si"),
    "Croatian": ("čćđšž", "i u je na se da za od ne s su to ali kao sam bi o vrlo in po pa"),
    "Turkish": ("çğıöşüâîİ", "bir ve bu da de ne ama cok o var yok ile daha kadar en gibi mi film"),
    "Baltic": ("āčēģīķļņšūžąęėįųõäöü", "ir un uz par no ar kas ta ja on ei ka see et tai kad yra"),
}
WESTERN = ["English", "French", "German", "Spanish", "Portuguese", "Italian", "Nordic", "Dutch"]
CENTRAL = ["Polish", "Czech", "Slovak", "Hungarian", "Romanian", "Croatian", "German"]
OTHER: dict[str, tuple[str, str]] = {
    "Cyrillic": ("".join(map(chr, range(0x430, 0x450))) + "ёіїєґў", "и в не на я с что он а как это но по из у за"),
    "Greek": ("".join(map(chr, range(0x3AC, 0x3CF))) + "ΐ", "και το να του η την της με που από για ο είναι δεν"),
    "Hebrew": ("".join(map(chr, range(0x5B0, 0x5EB))), "של את לא על זה הוא עם כל גם אני היה"),
    "Arabic": ("".join(map(chr, range(0x60C, 0x653))) + "پچژگ", "في من على أن إلى هذا لا ما عن مع كان"),
    "Thai": ("".join(map(chr, range(0xE01, 0xE5C))), ""),
}
SINGLE: dict[str, list[str]] = {
    "cp1252": WESTERN,
    "iso8859_15": WESTERN,
    "cp1250": CENTRAL,
    "iso8859_2": CENTRAL,
    "cp1254": ["Turkish"],
    "cp1257": ["Baltic"],
    "mac_roman": WESTERN,
    "cp850": WESTERN,
    "cp852": CENTRAL,
    "cp1251": ["Cyrillic"],
    "koi8_r": ["Cyrillic"],
    "cp866": ["Cyrillic"],
    "iso8859_5": ["Cyrillic"],
    "mac_cyrillic": ["Cyrillic"],
    "cp1253": ["Greek"],
    "cp1255": ["Hebrew"],
    "cp1256": ["Arabic"],
    "cp874": ["Thai"],
}
FREQUENT = {"Cyrillic": "оеаинтсрвлі", "Greek": "αοιετσνηυρ"}  # by which two encodings of one alphabet differ
ACCENTED = frozenset("άέήίόύώϊϋΆΈΉΊΌΎΏ")  # one of them in nearly every Greek word
TYPOGRAPHIC = set("“”‘’‚„«»‹›–—…€£°§©®™·•¿¡²³½¼¾´\xa0×№№±†‰")
RARE = ("mac_", "cp85", "cp866", "iso8859_")  # which few files are in today
RARITY, OLD_MAC = 0.03, 0.1
FEWEST = 5  # different letters beside a to z
WIDE = ["gb18030", "cp950", "big5hkscs", "cp932", "euc_jp", "cp949"]
HANZI = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学"
    "如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两"
    "高间由问很最重并物手应向头文体美相见被利什二等或新己制身果加西月话合回特代内信表化老给世位次度门常先海通教儿原东声提立及比员解水名真"
    "论处走义各入几口认条平系气题活更别打女变四总何电数安少报才结反受目太量再感做接必场件计管期市直资命山金指许统区保至形便空决治展马科五"
    "眼书非则听白却界达光放强即像难且思王完式色路记品住告类求据程北边死该交万取望觉共传师观清今切让识带影片非常差吃店买质服务推荐喜欢标签本"
    "這個們來為國說時會對過發後裡種經麼學現當沒動還進樣開從實無與長機關點業將兩間問應頭體見話電數報場計別題論處認條氣變總讓識觀傳師質買難"
)
HANGUL = (
    "이다는을의에가고한하지로도은를그어아나사기리서자대있수것해들인일정시여보면부전게만상스라주"
    "으원안우말세요습니까영화네좋"
)


class Guess(NamedTuple):
    """A sample read in one encoding, and how much sense it makes, from 0 to 1 (and WORDS more)."""

    encoding: str
    text: str
    score: float


def ranked(sample: bytes) -> list[Guess]:
    """What the bytes could be, the best guess first."""
    found: list[Guess] = []
    for encoding in (*WIDE, *SINGLE):
        try:
            text = sample.decode(encoding)
        except UnicodeError:
            continue
        score = _wide(text, encoding) if encoding in WIDE else max(_single(text, one) for one in SINGLE[encoding])
        found.append(Guess(encoding, text, score - _rarity(encoding)))
    found.sort(key=lambda one: -one.score)
    if not found or found[0].score < LEAST:
        found = _others(sample) + found
    return found


def _rarity(encoding: str) -> float:
    return OLD_MAC if encoding == "mac_roman" else RARITY * encoding.startswith(RARE)


def _others(sample: bytes) -> list[Guess]:
    """charset-normalizer's guesses; those it puts on one rank are no decision."""
    import charset_normalizer  # the ranks of a hundred encodings

    matches = [one for one in charset_normalizer.from_bytes(sample) if one.coherence > 0 and one.chaos < 0.1]
    return [Guess(one.encoding, str(one), LEAST + one.coherence / 10 - one.chaos) for one in matches[:4]]


@cache
def _language(name: str) -> tuple[frozenset[str], frozenset[str]]:
    letters, words = LATIN.get(name) or OTHER[name]
    return frozenset(letters) | frozenset(letters.upper()), frozenset(words.split())


def _in_place(before: str, one: str, after: str) -> bool:
    """Whether a mark stands where it does in print: an apostrophe in a word, a quotation mark at its edge, money."""
    if one == "’":
        return before.isalpha() and (after.isalpha() or after in " .,;:!?")
    if one in "“‘„«":
        return not before.isalnum() and after.isalnum()
    if one in "”»":
        return (before.isalnum() or before in ".,!?…") and not after.isalnum()
    return (one in "£€" and after.isdigit()) or (one in "€°" and (before.isdigit() or before == " "))


def _single(text: str, language: str) -> float:
    letters, common = _language(language)
    latin = language in LATIN
    good = bad = 0.0
    before, run, frequent = " ", 0, 0
    for one, after in zip(text, f"{text[1:]} ", strict=True):
        run = run + 1 if one > "\x7f" else 0
        if one > "\x7f":
            if one in letters:
                # A foreign letter amid ASCII ones, a capital within a word, three accents in a row: no word is so.
                odd = run > 2 if latin else before.isascii() and before.isalpha()
                odd = odd or (one == "ς" and after.isalpha())  # a sigma that ends words
                odd = odd or (one.isupper() and (before.islower() or (before.isalpha() and after.islower())))
                frequent += one in FREQUENT.get(language, "")
                good, bad = good + (not odd), bad + odd
            elif one in TYPOGRAPHIC and not (before.isalpha() and one in "±½¼¾§©£³²°"):
                good += 1.0 if _in_place(before, one, after) else 0.5
            else:
                bad += 1
        elif not latin and before > "\x7f" and before in letters and one.isalpha():
            bad += 1
        before = one
    few = len(set(text) & letters) <= FEWEST  # a word of one such letter may be chance
    words = [word.strip(".,;:!?\"'()") for word in text.lower().split()]
    hits = sum(word in common and not (few and not word.isascii()) for word in words)
    likely = 0.0 if few else 0.1 * frequent / (good + bad)
    if language == "Greek" and not ACCENTED.intersection(text):
        likely -= 0.1
    return good / max(good + bad, 1) + likely + WORDS * min(1.0, 2 * hits / max(len(words), 1))


@cache
def _of_level(character: str, encoding: str, first: int, last: int) -> bool:
    try:
        raw = character.encode(encoding)
    except UnicodeError:
        return False
    return len(raw) == 2 and first <= raw[0] <= last


def _is_mark(one: str) -> bool:
    return "\u3000" <= one <= "\u3020" or "\uff01" <= one <= "\uff5e" or one in TYPOGRAPHIC or one in "—…“”‘’・·~"


def _wide(text: str, encoding: str) -> float:
    """Of what is not ASCII, the share of characters that such a text has often."""
    counted = [one for one in text if one > "\x7f"]
    total = good = common = kana = 0.0
    before = " "
    for one in text:
        if one > "\x7f":
            worth, often = _worth(one, encoding)
            if before.isascii() and before.isalpha() and worth == 1:
                worth = 0.5  # the letter before it, or the one it swallowed, makes it a Western word read wrongly
            total, good, common = total + 1, good + worth, common + often
            kana += "\u3041" <= one <= "\u30fe"
        before = one
    if not counted:
        return 0.0
    score = good / total + WORDS * min(1.0, 1.5 * common / total)
    if encoding in ("cp932", "euc_jp") and kana < 0.15 * total:
        score *= 0.7
    return score


def _worth(one: str, encoding: str) -> tuple[float, float]:
    if _is_mark(one):
        return 0.9, 0.0
    if encoding == "gb18030":
        if _of_level(one, "gb2312", 0xB0, 0xD7):
            return 1.0, float(one in HANZI)
        often = _of_level(one, "big5", 0xA4, 0xC6) or one > "\uffff"
        return (0.8 if often else 0.2), float(one in HANZI)
    if encoding in ("cp950", "big5hkscs"):
        return (1.0, float(one in HANZI)) if _of_level(one, "big5", 0xA4, 0xC6) else (0.2, 0.0)
    if encoding == "cp949":
        return (1.0, float(one in HANGUL)) if _of_level(one, "euc_kr", 0xB0, 0xC8) else (0.2, 0.0)
    if "\u3041" <= one <= "\u30fe":
        return 1.0, 1.0
    return (0.9, 0.0) if _of_level(one, "shift_jis", 0x88, 0x97) else (0.1, 0.0)

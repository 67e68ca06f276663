"""Names of languages: what is a code of one, and which of those a file has a user means."""

import re
from collections.abc import Sequence

from ...data.wording import listed
from ...errors import UserError

_ISO = (  # 639-1, and the codes of three letters that corpora use
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st "
    "su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "
    "ara bul cat ces cmn dan deu ell eng est eus fas fil fin fra glg heb hin hrv hun ind isl ita jpn kor lat lav lit "
    "mkd nld nob nor pol por ron rus slk slv spa srp swe tha tur ukr vie yue zho"
)
CODES = frozenset(re.findall(r"\w+", _ISO))
NAMES = {"source", "target", "src", "tgt", "trg", "original", "translation", "reference", "text", "sentence", "id"}
NAMES |= {"english", "french", "german", "spanish", "italian", "chinese", "japanese", "russian", "portuguese"}
NAMES |= {
    "arabic",
    "korean",
    "dutch",
    "polish",
    "turkish",
    "英文",
    "中文",
    "英语",
    "汉语",
    "法语",
    "德语",
    "日语",
    "anglais",
}
NAMES |= {"français", "deutsch", "englisch", "französisch", "español", "inglés", "原文", "译文"}
CODE = re.compile(r"([a-z]{2,3}|[A-Z]{2,3})([-_][A-Za-z0-9]{2,8})*")
PAIR = re.compile(r"(?:^|[.])([a-z]{2,3}(?:_[A-Za-z]{2,4})?)-([a-z]{2,3}(?:_[A-Za-z]{2,4})?)$")


def primary(code: str) -> str:
    """The language of a code, without its region: `en` of `en-US`."""
    return re.split("[-_]", code.strip())[0].casefold()


def is_code(name: str) -> bool:
    """Whether a name is the code of a language: `en`, `EN`, `en-US`, `zh_Hans`; not `No` or `va`."""
    return bool(CODE.fullmatch(name.strip())) and primary(name) in CODES


def is_name(name: str) -> bool:
    """Whether a name is one of a side: a code, or a word, maybe joined to others, as `english_text` or `source`."""
    return is_code(name) or (
        not re.search(r"\s", name.strip()) and any(word in NAMES for word in re.split(r"[\W_\d]+", name.casefold()))
    )


def are_names(names: Sequence[str]) -> bool:
    """Whether a line names columns: with a code, or two words of such names. `German`, `Allemand` are a pair."""
    return any(map(is_code, names)) or sum(map(is_name, names)) > 1


def matching(told: str, names: Sequence[str]) -> list[str]:
    """Those of the names that are meant by one: itself, else in another letter case, else with a region."""
    for same in (lambda name: name == told, lambda name: name.casefold() == told.casefold()):
        if found := [name for name in names if same(name)]:
            return found
    return [name for name in names if is_code(name) and primary(name) == told.casefold()]


def chosen(
    where: str, names: Sequence[str], source: str | None, target: str | None, *, ordered: bool
) -> tuple[str, str]:
    """The names of source and target among those there are; what is not told is the only other one, or, where they
    stand in an order that says it, the first and the second of two. Raises UserError, which asks for source_lang and
    target_lang."""
    if len(names) < 2:
        raise UserError(f"{where} has {f'only {listed(names)}' if names else 'no texts'}; a pair is of two texts")
    for option, told in (("source_lang", source), ("target_lang", target)):
        if told is not None and not matching(told, names):
            raise UserError(f'{option} is "{told}", but {where} has no texts of that name; it has {listed(names)}')
    if source is not None and source == target:
        raise UserError(f'source_lang and target_lang are both "{source}"; they must be different')
    meant = {one for told in (source, target) if told is not None for one in matching(told, names)}
    others = [name for name in names if name not in meant]
    untold = [source, target].count(None)
    if (untold == 1 and len(others) != 1) or (untold == 2 and (len(others) != 2 or not ordered)):
        shown = (others + [name for name in names if name in meant])[:2]
        flags = f", as --source_lang {shown[0]} --target_lang {shown[1]}" if len(shown) > 1 else ""
        raise UserError(
            f"{where} holds {listed(names)}: say which is the source by source_lang and which the target by "
            f"target_lang{flags}"
        )
    others.reverse()
    return source or others.pop(), target or others.pop()

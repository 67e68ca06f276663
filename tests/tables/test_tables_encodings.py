"""In which encoding a text of two lines is: found rightly or asked about, never wrongly."""

from pathlib import Path

import pytest

from hf_xfmr.data.table.encoding import encoding_of
from hf_xfmr.errors import UserError

# Two lines, and the encodings they are tried in.
TEXTS = [
    (
        "texte,etiquette\nUn très bon film, l'été dernier à la plage,1\nC'était décevant et ça ne vaut pas le coût,0\n",
        ["cp1252", "mac_roman", "cp850"],
    ),
    ("texte;label\nTrès bien;1\nMauvais été;0\n", ["cp1252"]),
    ("texte;label\nIl a aimé;1\nJ'ai détesté;0\n", ["cp1252"]),
    ("text,label\nThe café was nice – really,1\nIt wasn’t “great”,0\n", ["cp1252", "mac_roman"]),
    ("text,label\nnaïve plot,1\nfine,0\n", ["cp1252"]),
    (
        "Text;Label\nSehr schöner Film für die ganze Familie;gut\nÜberhaupt nicht, was für ein Müll;schlecht\n",
        ["cp1252", "mac_roman", "cp850"],
    ),
    ("Text;Label\nschön;1\nblöd;0\n", ["cp1252"]),
    ("texto,etiqueta\nMañana será otro día,1\n¿Qué pasó? Una lástima el señor,0\n", ["cp1252"]),
    ("texto,etiqueta\nEspaña,1\nniño,0\n", ["cp1252"]),
    ("texto,rotulo\nNão gostei da refeição,0\nMuito bom o café da manhã,1\n", ["cp1252"]),
    ("testo;voto\nperché è così bello;1\npiù brutto di così no;0\n", ["cp1252"]),
    ("text;betyg\nDet var en mycket bra film på många sätt,1\nJag förstår inte,0\n", ["cp1252"]),
    ("文本,标签\n这部电影非常好看,1\n太差了不推荐,0\n", ["gb18030"]),
    ("text,label\n很好,1\n太差了,0\n", ["gbk"]),
    ("文本,標籤\n這部電影非常好看,1\n太差了不推薦,0\n", ["big5", "gb18030"]),
    ("text,label\n很好吃,1\n服務態度差,0\n", ["big5"]),
    ("テキスト,ラベル\nこの映画はとても面白かった,1\nつまらない、最悪だ,0\n", ["shift_jis", "euc_jp"]),
    ("text,label\n面白い,1\n退屈だった,0\n", ["shift_jis", "euc_jp"]),
    ("본문,라벨\n이 영화는 정말 재미있었다,1\n별로였어요 추천하지 않습니다,0\n", ["euc_kr"]),
    (
        "текст,метка\nОчень хороший фильм,1\nПлохо и скучно,0\n",
        ["cp1251", "koi8_r", "cp866", "iso8859_5", "mac_cyrillic"],
    ),
    ("text;label\nхорошо;1\nплохо;0\n", ["cp1251", "koi8_r"]),
    ("текст;мітка\nДуже гарний фільм, його варто подивитися;1\nНудно і погано;0\n", ["cp1251"]),
    ("κείμενο;ετικέτα\nΠολύ καλή ταινία;1\nΔεν μου άρεσε;0\n", ["cp1253"]),
    ("tekst,etykieta\nBardzo dobry film, polecam każdemu,1\nNie podobało mi się zupełnie,0\n", ["cp1250", "iso8859_2"]),
    ("text;štítek\nVelmi dobrý film, doporučuji;1\nNelíbilo se mi to vůbec;0\n", ["cp1250", "iso8859_2"]),
    ("szöveg;címke\nNagyon jó film volt, ajánlom;1\nNem tetszett, hosszú és unalmas, őrült;0\n", ["cp1250"]),
    ("metin;etiket\nÇok güzel bir filmdi, öneririm;1\nHiç beğenmedim, sıkıcıydı;0\n", ["cp1254"]),
]
ASKED = 5  # of those whose few accents fit two alphabets


def test_an_old_encoding_is_found_or_asked_about():
    asked, said, tried, wrong = [], [], 0, []
    for text, encodings in TEXTS:
        for encoding in encodings:
            raw, tried = text.encode(encoding), tried + 1
            try:
                found, _ = encoding_of(Path("x.csv"), raw, None)
            except UserError as error:
                said.append(str(error))
                asked.append((encoding, text))
            else:
                wrong += [(encoding, found, text)] if raw.decode(found) != text else []
    assert wrong == []
    assert all("several encodings fit" in one for one in said)
    assert tried == 42
    assert len(asked) <= ASKED, asked


def test_the_question_shows_what_differs_and_what_to_paste():
    raw = "texto,etiqueta\nEspaña,1\nniño,0\n".encode("cp1252")
    with pytest.raises(UserError) as caught:
        encoding_of(Path("x.csv"), raw, None)
    said = str(caught.value)
    assert 'windows-1252 ("España,1") or windows-1250 ("Espańa,1")' in said
    assert said.endswith("say which with --encoding windows-1252 or --encoding windows-1250")


def test_one_byte_says_nothing():
    for raw in (b"text\n\xff\n", b"text,label\n\xe9,1\n"):
        with pytest.raises(UserError, match="several encodings fit"):
            encoding_of(Path("x.csv"), raw, None)

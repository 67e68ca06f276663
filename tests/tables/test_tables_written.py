"""Tables that csv's own writer wrote in whatever dialect and encoding come back equal, or end in one question."""

import csv
import io
import random
from collections import Counter

import pytest

from hf_xfmr.data.sources import load_dataset_dict
from hf_xfmr.errors import UserError

WORDS = {
    "English": "the film was very good and I loved it so much but not today really nice plot weak music",
    "German": "der Film war sehr schön und ich möchte ihn nicht noch einmal sehen für Kinder größer Müll",
    "French": "le film était très bon et je ne veux pas le revoir même à Noël ça déçoit où",
    "Spanish": "la película es muy buena y el niño no quiere verla otra vez mañana corazón año",
    "Russian": "фильм очень хороший и я не хочу смотреть его снова скучно музыка игра",
    "Chinese": "这部电影 非常好看 我不喜欢 服务态度 太差了 推荐大家 下次还来 没有意思 质量很好 价格便宜",
    "Japanese": "この映画は とても 面白かった です 退屈で 見られません もう一度 見たい 音楽が 良い",
}
ENCODINGS = {
    "English": ["utf-8", "utf-8-sig", "utf-16", "ascii"],
    "German": ["utf-8", "cp1252", "utf-16", "utf-16-le", "utf-8-sig"],
    "French": ["utf-8", "cp1252", "mac_roman"],
    "Spanish": ["utf-8", "cp1252"],
    "Russian": ["utf-8", "cp1251", "koi8_r", "utf-16-be"],
    "Chinese": ["utf-8", "gb18030", "utf-16"],
    "Japanese": ["utf-8", "shift_jis", "euc_jp"],
}
QUOTING = [csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]


def written(draw: random.Random) -> tuple[bytes, str, list[str], list[list]]:
    """A file's bytes, what its name may end in, the names of its columns and its rows."""
    language = draw.choice(list(WORDS))
    words = WORDS[language].split()

    def text() -> str:
        text = " ".join(draw.choices(words, k=draw.randint(2, 9)))
        if draw.random() < 0.3:
            text = text.replace(" ", draw.choice([", ", "; ", " | ", "\t", ": "]), 1)
        if draw.random() < 0.15:
            text = f'"{text}" {draw.choice(words)}'
        if draw.random() < 0.1:
            text = text.replace(" ", "\n", 1)
        return text + (draw.choice(["!", ".", "?", ' "', "'"]) if draw.random() < 0.1 else "")

    made = {
        "text": text,
        "label": lambda: draw.choice(["pos", "neg"]),
        "stars": lambda: draw.randint(1, 5),
        "score": lambda: draw.randint(0, 999) / 4,
        "id": lambda: draw.randint(1, 99_999),
        "title": text,
    }
    names = ["text", *draw.sample(list(made)[1:], draw.randint(0, 4))]
    draw.shuffle(names)
    rows = [[made[name]() for name in names] for _ in range(draw.randint(2, 40))]
    file = io.StringIO(newline="")
    table = csv.writer(
        file, delimiter=draw.choice(",;\t|"), quoting=draw.choice(QUOTING), lineterminator=draw.choice(["\n", "\r\n"])
    )
    table.writerow(names)
    table.writerows(rows)
    suffix = draw.choice([".csv", ".csv", ".txt", "", ".tsv"]) if len(names) > 1 else ".csv"
    return file.getvalue().encode(draw.choice(ENCODINGS[language])), suffix, names, rows


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_a_written_table_comes_back_or_is_asked_about(tmp_path, first):
    outcomes: Counter[str] = Counter()
    for seed in range(first, first + 50):
        raw, suffix, names, rows = written(random.Random(seed))
        path = tmp_path / f"{seed}{suffix}"
        path.write_bytes(raw)
        try:
            found = load_dataset_dict(str(path))["train"]
        except UserError as error:
            outcomes["asked" if " --" in str(error) else f"{seed}: {error}"] += 1
            continue
        assert found.column_names == names, seed
        assert [list(row.values()) for row in found] == rows, seed
        outcomes["equal"] += 1
    assert set(outcomes) <= {"equal", "asked"}, outcomes
    assert outcomes["asked"] <= 2, outcomes

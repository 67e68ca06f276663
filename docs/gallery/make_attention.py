"""Pictures of attention and explain for the gallery, before and after: `python docs/gallery/make_attention.py`.

"Before" is drawn by the code of the commit BEFORE, taken out of git into a scratch folder; "after" by the code here.
Both draw the same sentences of the same checkpoint. Needs git, chromium and the samples; takes a few minutes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BEFORE = "fb1a353"
MAP = "The bank of the river was steep, so we sat on the bench by the bank."
WORD = "the cat did not drink the milk because it was sour"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars"]


def hf_xfmr(code: Path, *words: str) -> None:
    """A command of the code in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(code)}
    subprocess.run([sys.executable, "-m", "hf_xfmr", *words], cwd=code, env=environment, check=True)


def shot(source: Path, target: str, width: int, height: int, anchor: str = "") -> None:
    """A page as its reader sees it, from an anchor of it on, without the empty ground below and at the right."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("there is no chromium to take pictures with")
    picture = source.with_suffix(".shot.png")
    size = [f"--window-size={width},{height}", f"--screenshot={picture}"]
    address = source.resolve().as_uri() + (f"#{anchor}" if anchor else "")
    subprocess.run([browser, *FLAGS, *size, address], check=True, capture_output=True, timeout=300)
    trimmed(Image.open(picture).convert("RGB")).quantize(64).save(HERE / target, optimize=True)


def trimmed(image: Image.Image) -> Image.Image:
    """Without rows and columns at the end that are all of the corner's colour."""
    from PIL import ImageChops

    ground = Image.new("RGB", image.size, image.getpixel((image.width - 1, image.height - 1)))
    box = ImageChops.difference(image, ground).getbbox() or (0, 0, *image.size)
    return image.crop((0, 0, min(box[2] + 12, image.width), min(box[3] + 12, image.height)))


def part(page: Path, name: str, out: Path) -> Path:
    """A page of explain with one of its parts alone."""
    html = page.read_text(encoding="utf-8")
    hide = f"<style>header, .part:not(#{name}), .chapter > :not(.part), #models {{ display: none; }}</style></head>"
    out.write_text(html.replace("</head>", hide, 1), encoding="utf-8")
    return out


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        old = scratch / "before"
        old.mkdir()
        archive = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", str(old)], input=archive, check=True)
        word = ["attention", "sample:minilm", WORD, "--word", "it"]
        for stem, words in (("attention", ["attention", "sample:minilm", MAP]), ("attention-word", word)):
            hf_xfmr(old, *words, "--out", str(scratch / f"{stem}.png"))
            Image.open(scratch / f"{stem}.png").convert("RGB").reduce(2).quantize(64).save(HERE / f"{stem}-before.png")
        hf_xfmr(ROOT, "attention", "sample:minilm", MAP, "--out", str(scratch / "map.html"))
        hf_xfmr(ROOT, *word, "--layer", "4", "--head", "2", "--out", str(scratch / "word.html"))
        shot(scratch / "map.html", "attention.png", 860, 1400)
        shot(scratch / "word.html", "attention-word.png", 860, 900)
        for code, folder in ((old, "old"), (ROOT, "new")):
            hf_xfmr(code, "explain", "transformer", "bert", "--out", str(scratch / folder))
        for target, folder, of in (
            ("explain-before.png", "old", "multi_head"),
            ("explain.png", "new", "multi_head"),
            ("explain-figure-1.png", "new", "figure_1"),
            ("explain-antecedent-before.png", "old", "both_ways"),
            ("explain-antecedent.png", "new", "both_ways"),
        ):
            page = part(scratch / folder / "explain-en.html", of, scratch / f"{target}.html")
            shot(page, target, 1100, 2400)


if __name__ == "__main__":
    main()

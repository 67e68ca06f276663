"""What is said of a decision: first which words made it, then their shares."""

import textwrap

from ..plain import printable
from .answer import Why

MOST = 12  # words that are listed
BAR = 20  # characters of the longest bar
WEAK = 0.05  # of the strongest share: what is less is not named in the first line
METHOD = {
    "gradients": "integrated gradients, {steps} steps",
    "left_out": "each word left out in turn",
}


def lines(why: Why) -> list[str]:
    """At most `MOST` words, the strongest first, with a bar each."""
    order = sorted(range(len(why.words)), key=lambda at: -abs(why.shares[at]))
    strongest = abs(why.shares[order[0]])
    told = [*textwrap.wrap(sentence(why), 80, subsequent_indent="  ", break_long_words=False), ""]
    for at in order[:MOST]:
        share = why.shares[at]
        bar = ("+" if share > 0 else "-") * round(BAR * abs(share) / strongest) if strongest else ""
        told.append(f"{share:+8.3f}  {printable(short(why.text(why.words[at])))}  {bar}".rstrip())
    if len(order) > MOST:
        rest = sum(why.shares[at] for at in order[MOST:])
        told.append(f"{rest:+8.3f}  {len(order) - MOST:,} more words")
    told += ["", complete(why)]
    return told


def sentence(why: Why) -> str:
    """`positive (0.97): for it "superb" +0.412, "moving" +0.120; against it "but" -0.051`"""
    named = [
        (share, f'"{printable(short(why.text(word)))}" {share:+.3f}')
        for word, share in zip(why.words, why.shares, strict=True)
    ]
    strongest = max(abs(share) for share, _ in named)
    sides = []
    for sign, words in ((1, "for it" if why.label is not None else "up"), (-1, "against it" if why.label else "down")):
        own = sorted((one for one in named if one[0] * sign > WEAK * strongest), key=lambda one: -abs(one[0]))
        if own:
            sides.append(f"{words} {', '.join(text for _, text in own[:3])}")
    return f"{asked(why)} ({why.all:.3f}): {'; '.join(sides) or 'no word of it counts'}"


def asked(why: Why) -> str:
    """The label, or what stands for a rating."""
    return "rating" if why.label is None else printable(why.label)


def complete(why: Why) -> str:
    """How far the shares are from adding up."""
    how = METHOD[why.method].format(steps=why.steps)
    return (
        f"{how}: {why.all:.3f} here, {why.none:.3f} without words;\n"
        f"the shares add up to {sum(why.shares):.3f} of that {why.all - why.none:.3f}: "
        f"completeness error {abs(why.error):.4f}"
    )


def short(text: str, most: int = 30) -> str:
    """A word, or a run of words, cut in its middle."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 2 + 1 :]}"

"""Compare two runs on the same test rows: the difference, its 95 % interval, and whether chance explains it.

Classification: McNemar's exact test on the rows only one of them gets right (one label a row), else a paired bootstrap.
Regression, tagging (the F1 of entities, over sentences) and language models (over documents): a paired bootstrap.
Translation: sacreBLEU's paired approximate randomization (its paired bootstrap calls a difference significant at 5 %
about twice as often as chance makes one).
"""

import argparse
import json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="RUN_A", help="a run's folder")
    parser.add_argument("b", metavar="RUN_B", help="another run's folder, on the same test rows")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(arguments: argparse.Namespace) -> None:
    from ..report import plain
    from ..report.names import metric_name
    from ..report.verdict import compared, short
    from ..report.verdict.numbers import number, p_value, signed
    from ..run.console import say
    from ..tasks.compare import compare

    found = compare(arguments.a, arguments.b)
    if arguments.json:
        print(json.dumps(plain(found), ensure_ascii=False, indent=2, allow_nan=False))
        return
    main = next(one for one in found["figures"] if one["name"] == found["main"])
    say(compared(main, rows=found["rows"], split=found["split"]), f"A: {arguments.a}", f"B: {arguments.b}")
    say("each figure with its 95 % interval, and how often chance makes as much of a difference (p):")
    for one in found["figures"]:
        name = one["name"]
        a, b = (number(name, one[side]) for side in "ab")
        difference, low, high = (signed(name, one[end]) for end in ("difference", "low", "high"))
        better = "; lower is better" if one["better"] == "lower" else ""
        say(
            f"{metric_name(name)}: {short(one)}{better}",
            f"  A {a}  B {b}  B - A {difference} ({low} to {high})  {p_value(one)}",
            f"  {one['test']}",
        )

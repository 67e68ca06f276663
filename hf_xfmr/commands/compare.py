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
    from ..report.comparison import SIGNIFICANT, verdict
    from ..run.console import say
    from ..tasks.compare import compare

    found = compare(arguments.a, arguments.b)
    if arguments.json:
        print(json.dumps(plain(found), ensure_ascii=False, indent=2, allow_nan=False))
        return
    say(f"A: {arguments.a}", f"B: {arguments.b}", f"on {found['rows']:,} {found['split']} rows:")
    for one in found["figures"]:
        sign = "less than 0.001" if one["p"] < 0.001 else f"{one['p']:.3f}"
        print(
            f"{one['name']}  A {one['a']:.4f}  B {one['b']:.4f}  B - A {one['difference']:+.4f} "
            f"[{one['low']:+.4f}, {one['high']:+.4f}]  p {sign} ({one['test']}): {verdict(one)}"
        )
    main = found["figures"][0]
    print(f"{main['name']}: {verdict(main)}" + ("" if main["p"] < SIGNIFICANT else " (at 5 %)"))

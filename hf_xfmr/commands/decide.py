"""Decide a finished run's answers otherwise: thresholds for a precision, a recall, the highest F1, or the least cost.

They are fitted on the predictions of validation that the run left in its folder, without training again, and put into
effect: in the model's config, where predict and exports find them, in its predictions files, figures, report and card.
"""

import argparse

# argparse would write the alternatives on one line, however long
USAGE = """%(prog)s [-h] [--decision_labels A,B] folder
       (--best_f1 | --target_precision P | --target_recall R | --costs FILE |
        --likeliest) [--traceback]"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = USAGE
    parser.add_argument("folder", help="a finished classification run's folder")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--best_f1", action="store_true", help="thresholds of highest F1")
    which.add_argument(
        "--target_precision", type=float, metavar="P", help="of highest recall among those of this precision, as 0.9"
    )
    which.add_argument(
        "--target_recall", type=float, metavar="R", help="of highest precision among those of this recall, as 0.95"
    )
    which.add_argument("--costs", metavar="FILE", help="a .csv or .yaml file of what each wrong answer costs")
    which.add_argument("--likeliest", action="store_true", help="as trained: the likeliest label, of several from 0.5")
    parser.add_argument(
        "--decision_labels",
        metavar="A,B",
        help="labels that get a threshold (default: all where rows may have several; of two the second)",
    )


def run(arguments: argparse.Namespace) -> None:
    from ..run.console import say
    from ..tasks.decide import decide

    say(
        *decide(
            arguments.folder,
            best_f1=arguments.best_f1,
            target_precision=arguments.target_precision,
            target_recall=arguments.target_recall,
            costs=arguments.costs,
            likeliest=arguments.likeliest,
            decision_labels=arguments.decision_labels,
        )
    )

"""Publish a model folder on the Hub, so that it loads in three ways, with or without hf_xfmr.

What is uploaded is a stock checkpoint with our model files beside it, tokenizer, model card and report. Files that are
there already are not sent again, other files of the repository stay. The push is done when the model was loaded back
in all three ways and computes the same. Of an adapter's folder the adapter alone, for PEFT.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="a run's folder, its adapter/, or any that save_pretrained made")
    parser.add_argument("repo_id", metavar="REPO", help="NAME or OWNER/NAME on the Hub; it is made if it is not there")
    visibility = parser.add_mutually_exclusive_group()
    visibility.add_argument("--private", action="store_true", default=None, help="make it private")
    visibility.add_argument("--public", dest="private", action="store_false", default=None, help="make it public")
    parser.add_argument("--revision", help="branch to push to (default: main); it is made if it is not there")
    parser.add_argument("--tag", help="tag the commit, v1.0 for example")
    parser.add_argument("--license", help="the model's licence, for its card: apache-2.0, mit, …")
    parser.add_argument("--base_model", help="of an adapter: its base model's name on the Hub, where that is not known")
    parser.add_argument("--language", help="the language of its texts, for its card: en, zh, …")


def run(arguments: argparse.Namespace) -> None:
    from ..hub.push import push

    push(
        arguments.folder,
        arguments.repo_id,
        private=arguments.private,
        revision=arguments.revision,
        tag=arguments.tag,
        license=arguments.license,
        language=arguments.language,
        base_model=arguments.base_model,
    )

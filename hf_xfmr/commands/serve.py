"""Answer HTTP with a trained model: classify, find entities, fill, translate or continue texts, and a page to try it.

    python -m hf_xfmr serve runs/mine

Requests are computed together and within limits; /predict speaks as text-embeddings-inference does, /v1/completions as
OpenAI. /openapi.json lists all paths, /metrics is for Prometheus. Where the environment has HF_XFMR_API_KEY, requests
bring it as "Authorization: Bearer KEY". SIGTERM and Ctrl-C finish what was accepted.
"""

import argparse

from ..engines import ENGINES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="a run's folder, an exported one, or a model on the Hub")
    parser.add_argument("--engine", choices=ENGINES, help="what computes it (default: what the folder is for)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s, this machine)")
    parser.add_argument("--port", type=int, default=8080, help="port; 0: any that is free (default: %(default)s)")
    parser.add_argument("--batch_size", type=int, default=32, help="texts computed together (default: %(default)s)")
    parser.add_argument(
        "--max_wait_ms", type=float, default=2.0, help="milliseconds a text waits for others at most (default: 2)"
    )
    parser.add_argument("--max_queue", type=int, default=1024, help="texts that may wait; more: 503 (default: 1024)")
    parser.add_argument("--max_texts", type=int, default=64, help="texts of a request; more: 413 (default: 64)")
    parser.add_argument("--max_chars", type=int, default=100_000, help="characters of a text (default: 100000)")
    parser.add_argument("--max_body", type=int, default=2_000_000, help="bytes of a request (default: 2000000)")
    parser.add_argument(
        "--timeout", type=float, default=30.0, help="seconds until a late answer is a 504 (default: 30)"
    )
    parser.add_argument(
        "--patience", type=float, default=10.0, help="seconds for a client that sends or reads slowly (default: 10)"
    )
    parser.add_argument("--cors", nargs="+", default=(), metavar="ORIGIN", help="whose pages may ask (default: none)")
    parser.add_argument("--language", default="en", help="of the page at /: en or zh (default: en)")


def run(arguments: argparse.Namespace) -> None:
    from ..serve import serve

    serve(
        arguments.model,
        engine=arguments.engine,
        host=arguments.host,
        port=arguments.port,
        batch_size=arguments.batch_size,
        max_wait_ms=arguments.max_wait_ms,
        max_queue=arguments.max_queue,
        max_texts=arguments.max_texts,
        max_chars=arguments.max_chars,
        max_body=arguments.max_body,
        timeout=arguments.timeout,
        patience=arguments.patience,
        cors=arguments.cors,
        language=arguments.language,
    )

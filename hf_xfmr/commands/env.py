"""Say what this installation is: versions, platform, processor, devices. Nothing of it is sent anywhere."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none."""


def run(arguments: argparse.Namespace) -> None:
    from ..machine import environment

    for name, value in environment().items():
        print(f"{name + ':':<22}{value}")

"""Models on a hub: who may push (access), what a push uploads (dual), how (upload), and that it loads (loads)."""

from .access import check_access
from .client import command_without_token
from .training import HubArguments, PushesToHub, fetch_checkpoint

__all__ = ["HubArguments", "PushesToHub", "check_access", "command_without_token", "fetch_checkpoint"]

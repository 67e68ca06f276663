"""May we push there? Asked before a training starts, so that no night's work ends in a refusal."""

from collections.abc import Iterable

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError
from huggingface_hub.utils import validate_repo_id

from ..errors import UserError
from ..plain import some
from .client import FAILURES, patiently, reason, status


def check_access(repo_id: str, *, token: str | None = None, private: bool | None = None) -> str:
    """The full name "owner/name" of a repository that can be pushed to, or made; `private` as the push will ask for.

    Raises `UserError`, one sentence, if the name is none, there is no token, the hub does not know it or it may only
    read, its account is not in that organisation, the repository's visibility is not the one asked for, or the hub
    can't be reached. Nothing is made or changed.
    """
    try:
        validate_repo_id(repo_id)
    except HFValidationError:
        raise UserError(
            f"'{repo_id}' is no name for a Hub repository: give NAME or OWNER/NAME, of letters, digits, '-', '_' and "
            "'.', at most 96 characters"
        ) from None
    token = token or get_token()
    if not token:
        raise UserError(
            "no Hub token: set HF_TOKEN or run `hf auth login`, with a token that may write "
            "(https://huggingface.co/settings/tokens)"
        )
    api = HfApi(token=token)
    account = _whoami(api)
    owner, name = repo_id.split("/") if "/" in repo_id else (account["name"], repo_id)
    _check_owner(owner, account)
    _check_role(owner, f"{owner}/{name}", account)
    _check_repository(api, f"{owner}/{name}", private)
    return f"{owner}/{name}"


def _whoami(api: HfApi) -> dict:
    try:
        return patiently(api.whoami)
    except FAILURES as error:
        if status(error) == 401:
            raise UserError(
                f"{api.endpoint} does not know the token: it is mistyped, expired or revoked; make a new one "
                "(https://huggingface.co/settings/tokens) and set HF_TOKEN or run `hf auth login`"
            ) from None
        raise UserError(f"can't ask the Hub whose token this is: {reason(error, api)}") from None


def _check_owner(owner: str, account: dict) -> None:
    roles = {one["name"]: one.get("roleInOrg") for one in account.get("orgs", [])}
    if owner != account["name"] and owner not in roles:
        known = some([account["name"], *roles])
        raise UserError(
            f"the token's account {account['name']} can't push to '{owner}': that is no organisation it is a member "
            f"of; push to {known}"
        )
    if roles.get(owner) == "read":
        raise UserError(f"{account['name']} may only read in the organisation '{owner}': ask there for write access")


def _check_role(owner: str, repo_id: str, account: dict) -> None:
    token = account.get("auth", {}).get("accessToken", {})
    read_only = token.get("role") == "read"
    if token.get("role") == "fineGrained":
        read_only = not _fine_grained_writes(token.get("fineGrained", {}), {owner, repo_id})
    if read_only:
        raise UserError(
            f"the token '{token.get('displayName', '')}' may not write to {repo_id}: make one that may "
            "(https://huggingface.co/settings/tokens)"
        )


def _fine_grained_writes(rights: dict, names: Iterable[str]) -> bool:
    scopes = [scope for scope in rights.get("scoped", []) if scope.get("entity", {}).get("name") in names]
    granted = {right for scope in scopes for right in scope.get("permissions", [])}
    return "repo.write" in granted | set(rights.get("global", []))


def _check_repository(api: HfApi, repo_id: str, private: bool | None) -> None:
    try:
        info = patiently(lambda: api.model_info(repo_id))
    except RepositoryNotFoundError:
        return  # it will be made
    except FAILURES as error:
        raise UserError(f"can't ask the Hub about {repo_id}: {reason(error, api)}") from None
    if private is not None and bool(info.private) != private:
        there, asked = ("private", "public") if info.private else ("public", "private")
        raise UserError(
            f"{repo_id} is there already and is {there}, but {asked} is asked for: change it in its settings on the "
            "Hub, or push to another name"
        )

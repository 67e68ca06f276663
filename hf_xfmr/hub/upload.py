"""Files to a branch of a repository, in one commit, and only those it does not hold yet."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import EntryNotFoundError
from huggingface_hub.hf_api import RepoFile

from ..errors import UserError
from .client import patiently


def prepare(api: HfApi, repo_id: str, *, private: bool | None, revision: str | None) -> None:
    """Make the repository and the branch, if they are not there."""
    patiently(lambda: api.create_repo(repo_id, private=private, exist_ok=True))
    if revision:
        patiently(lambda: api.create_branch(repo_id, branch=revision, exist_ok=True))


def upload(
    api: HfApi,
    repo_id: str,
    folder: Path,
    *,
    message: str,
    revision: str | None = None,
    replace: Sequence[str] = (),
) -> tuple[str, list[str]]:
    """Commit what of `folder` differs from the branch. Returns the branch's commit and the names sent.

    Files of the repository that `folder` lacks stay, but for those below a folder in `replace`. Busy
    hubs and broken connections are tried again; raises the last error, or `UserError` if what then lies there is not
    what was sent.
    """
    # What is there first is read with a patience of its own: before huggingface_hub 2 neither reading nor committing is
    # tried again inside it, and a busy hub would use up in the one what the other needs.
    first = [patiently(lambda: files_there(api, repo_id, revision))]
    local = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}

    def send() -> tuple[str, list[str]]:
        # Again: the answer may have been lost, and not what it answered.
        there = first.pop() if first else files_there(api, repo_id, revision)
        return _commit(api, repo_id, local, there, message, revision, replace)

    commit, changed = patiently(send)
    there = patiently(lambda: files_there(api, repo_id, commit)) if changed else {}
    if broken := [name for name in changed if not _same(local[name], there.get(name))]:
        raise UserError(f"{repo_id} holds other bytes of {broken[0]} than were sent: push again")
    return commit, changed


def _commit(api, repo_id, local, there, message, revision, replace) -> tuple[str, list[str]]:
    """Commit what of `local`, name to path, is not `there`. Returns the commit and the names sent."""
    changed = [name for name, path in local.items() if not _same(path, there.get(name))]
    gone = [name for name in there if name.split("/")[0] in replace and name not in local]
    if not changed and not gone:
        return api.model_info(repo_id, revision=revision).sha, []
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=local[name]) for name in changed
    ]
    operations += [CommitOperationDelete(path_in_repo=name) for name in gone]
    return api.create_commit(repo_id, operations, commit_message=message, revision=revision).oid, changed


def files_there(api: HfApi, repo_id: str, revision: str | None) -> dict[str, tuple[str, str]]:
    """What a branch or commit holds: name to ("sha256", hash) of large files, ("sha1", git's hash) of others."""
    try:
        entries = list(api.list_repo_tree(repo_id, recursive=True, revision=revision))
    except EntryNotFoundError:  # an empty repository
        return {}
    return {
        entry.path: ("sha256", entry.lfs.sha256) if entry.lfs else ("sha1", entry.blob_id)
        for entry in entries
        if isinstance(entry, RepoFile)
    }


def _same(path: Path, remote: tuple[str, str] | None) -> bool:
    if remote is None:
        return False
    algorithm, expected = remote
    digest = hashlib.new(algorithm)
    if algorithm == "sha1":  # as git names a blob
        digest.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest() == expected

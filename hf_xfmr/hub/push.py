"""A push: a model folder to a repository, so that it loads in three ways; done when it was loaded back."""

import shlex
import tempfile
from pathlib import Path

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import EntryNotFoundError, RevisionNotFoundError

from ..errors import UserError
from ..plain import printable, some
from ..writing import folder as make
from ..writing import telling
from . import adapter, card, dual, loads
from .access import check_access
from .client import FAILURES, patiently, reason
from .upload import prepare, upload


def push(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
    tag: str | None = None,
    license: str | None = None,
    language: str | None = None,
    base_model: str | None = None,
) -> str:
    """Upload `folder` to the branch `revision` of `repo_id`, which are made if they are not there. Returns the commit.

    An adapter's folder goes alone; `base_model` is the name on the Hub of the model that it belongs to, where that is
    not known from its run.

    Raises `UserError` if the folder can't be pushed or the account may not, if the upload breaks off (the same call
    goes on with it), or if what lies on the Hub then does not load as the same model.
    """
    folder = Path(folder)
    kind = dual.kind(folder)
    alone = adapter.is_adapter(folder)
    base = adapter.base_on_hub(folder, base_model) if alone else None
    if base_model and not alone:
        raise UserError(f"--base_model is for an adapter's folder, and {folder} holds a model: leave it out")
    repo_id = check_access(repo_id, private=private)
    api = HfApi(token=get_token())
    make(folder)
    with telling(folder), tempfile.TemporaryDirectory(prefix=".push-", dir=folder) as scratch:
        staged = Path(scratch) / "repository"
        card.write(folder, license=license, language=language, base_model=base)
        left = dual.stage(folder, staged) if base is None else adapter.stage(folder, staged, base)
        behind = [name for name in left if not name.startswith(".push-")]
        try:
            prepare(api, repo_id, private=private, revision=revision)
            _check_tag(api, repo_id, tag)
            theirs = _their_card(api, repo_id, revision)
            (staged / "README.md").unlink()  # a link: the folder's own stays as it is
            text = card.for_hub((folder / "README.md").read_text(encoding="utf-8"), theirs, repo_id, kind)
            (staged / "README.md").write_text(text, encoding="utf-8")
            message = f"Upload {'an adapter of ' if alone else ''}{kind.own_class} with hf_xfmr"
            commit, sent = upload(api, repo_id, staged, message=message, revision=revision)
        except FAILURES as error:
            raise UserError(
                f"the push to {repo_id} broke off: {reason(error, api)}; nothing is lost, all of it is in {folder}, "
                f"and this goes on with it: {_command(folder, repo_id, private, revision, tag, base_model)}"
            ) from None
        total = sum(path.is_file() for path in staged.rglob("*"))
        rest = f"; the other {total - len(sent)} were there already" if len(sent) < total else ""
        print(f"pushed: {len(sent)} files to {api.endpoint}/{repo_id}{rest}", flush=True)
        if behind:
            print(f"not pushed, as no part of the model: {printable(some(behind))}", flush=True)
        has_tokenizer = (staged / "tokenizer_config.json").exists()
    for way, difference in loads.verify(repo_id, commit, folder, kind, has_tokenizer=has_tokenizer, base=base).items():
        print(f"loads:  {loads.ways(kind, base)[way]}, outputs at most {difference:.1e} apart", flush=True)
    if tag:
        _tag(api, repo_id, tag, commit)
    print(f"done:   {api.endpoint}/{repo_id} at commit {commit[:8]}" + (f", tag {tag}" if tag else ""), flush=True)
    return commit


def _check_tag(api: HfApi, repo_id: str, tag: str | None) -> None:
    if tag and tag in {one.name for one in patiently(lambda: api.list_repo_refs(repo_id)).tags}:
        raise UserError(f"{repo_id} has a tag {tag} already: give another one, or delete it on the Hub first")


def _tag(api: HfApi, repo_id: str, tag: str, commit: str) -> None:
    try:
        patiently(lambda: api.create_tag(repo_id, tag=tag, revision=commit))
    except FAILURES as error:
        raise UserError(f"pushed and verified, but {repo_id} could not be tagged {tag}: {reason(error, api)}") from None


def _their_card(api: HfApi, repo_id: str, revision: str | None) -> str | None:
    """The README.md that is on the Hub."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = patiently(lambda: api.hf_hub_download(repo_id, "README.md", revision=revision, local_dir=folder))
        except (EntryNotFoundError, RevisionNotFoundError):
            return None
        return Path(path).read_text(encoding="utf-8")


def _command(
    folder: Path, repo_id: str, private: bool | None, revision: str | None, tag: str | None, base: str | None
) -> str:
    words = ["python", "-m", "hf_xfmr", "push", str(folder), repo_id]
    words += ["--private"] * bool(private)
    words += ["--revision", revision] if revision else []
    words += ["--tag", tag] if tag else []
    words += ["--base_model", base] if base else []
    return shlex.join(words)

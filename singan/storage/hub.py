"""Models on the Hugging Face Hub: push, pull, and what can go wrong with them in plain words."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from httpx2 import LocalProtocolError, TransportError
from huggingface_hub import (
    CacheNotFound,
    CommitOperationAdd,
    HfApi,
    constants,
    get_token,
    scan_cache_dir,
    snapshot_download,
)
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from singan.errors import CheckpointError, HubError, SinGANError, TaskWarning, one_line
from singan.files import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE, bundled, files_in, replace_files
from singan.storage.card import card_is_edited, model_card, preset_of
from singan.storage.checkpoint import MAX_BYTES, describe, read

SHIPPED = bundled("pretrained")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
FILES = list(MAX_BYTES)


@dataclass(frozen=True)
class Pushed:
    """What a push did. `changed`: a commit was made; else all files were there already. `url`: of the commit, or
    of the pull request. `card_kept`: the card there was written by hand and is left as it is."""

    url: str
    commit: str
    changed: bool
    card_kept: bool


def find(where: str, *, revision: str | None = None, **options: Any) -> Path:
    """The folder of a model: a local one, else the shipped one of that name, else the Hub's, by `download` with these
    `options`.

    Raises `CheckpointError` if there is no such model, `HubError` if the Hub did not give it.
    """
    folder = local(where)
    if folder:
        if revision is not None:
            raise CheckpointError(f"{where} is a local folder, which has no revision {revision!r}: leave it out.")
        return folder
    if not HUB_ID.fullmatch(where):
        odd = f"it is no folder, none of the shipped ones ({', '.join(shipped()) or 'none here'})"
        form = "not of the form user/name for one on the Hub"
        raise CheckpointError(f"There is no model {where!r}: {odd}, and {form}; check the path.")
    try:
        return download(where, revision=revision, **options)
    except HubError as error:
        raise HubError(f"{where} is no folder here, and of the Hub: {error}") from error


def local(where: str) -> Path | None:
    """A folder here, or that of the shipped model of that name."""
    return Path(where) if os.path.isdir(where) else SHIPPED / where if where in shipped() else None


def known() -> list[dict[str, Any]]:
    """The models that come along, and those of the Hub that are in its cache: name, size, preset, and where."""
    folders = [(name, SHIPPED / name, "comes along") for name in shipped()]
    with contextlib.suppress(CacheNotFound, ValueError):  # ValueError: a file is in its place
        for repo in sorted(scan_cache_dir(constants.HF_HUB_CACHE).repos, key=lambda repo: repo.repo_id):
            newest = max(repo.revisions, key=lambda revision: revision.last_modified, default=None)
            if repo.repo_type == "model" and newest:
                folders.append((repo.repo_id, newest.snapshot_path, "downloaded from the Hub"))
    found = []
    for name, folder, where in folders:
        with contextlib.suppress(CheckpointError):  # of which there are many in that cache that are not ours
            description = describe(folder)
            size = description.photo_size or description.scale_sizes[-1]
            found.append({"name": name, "size": list(size), "preset": preset_of(description.config), "where": where})
    return found


def cached(name: str) -> Path | None:
    """A file of that name in the Hub's cache, of whatever repository; nothing is downloaded."""
    with contextlib.suppress(CacheNotFound, ValueError):  # ValueError: a file is in its place
        revisions = (revision for repo in scan_cache_dir(constants.HF_HUB_CACHE).repos for revision in repo.revisions)
        files = (file.file_path for revision in revisions for file in revision.files)
        return min((path for path in files if path.name == name), default=None)
    return None


def shipped() -> list[str]:
    """Names of the models that come along."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG_FILE}"))


def download(
    repo_id: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
    force_download: bool = False,
    files: list[str] = FILES,
) -> Path:
    """Fetch a model's own files, and no others, into the Hub's cache; returns their folder there.

    The Hub is asked each time, also for what is in the cache: another's token, or none, gets nothing that it would not
    get from the Hub. What was fetched before is not fetched again. The cache alone serves with `local_files_only`, and
    where the Hub cannot be reached, of which a `TaskWarning` tells. Raises `HubError`.
    """
    asked: dict[str, Any] = {"revision": revision, "cache_dir": cache_dir, "allow_patterns": files}
    with _explained(repo_id, revision, token, local_files_only):
        if not local_files_only:
            try:
                info = HfApi(token=token).model_info(repo_id, revision=revision, files_metadata=True)
            except LocalProtocolError:  # of a token that cannot be sent: the Hub was not asked
                raise
            except (TransportError, ConnectionError):  # and no other: the cache would give what the Hub might refuse
                folder = snapshot_download(repo_id, local_files_only=True, **asked)
                note = f"{constants.ENDPOINT} cannot be reached: {repo_id} is as it was downloaded before."
                warnings.warn(note, TaskWarning, stacklevel=2)
                return Path(folder)
            sizes = {file.rfilename: file.size or 0 for file in info.siblings or []}
            missing = {CONFIG_FILE, WEIGHTS_FILE} & set(files) - set(sizes)
            if missing:
                raise HubError(f"{repo_id} is no SinGAN model: it has no {min(missing)}; check the name.")
            for name in files:
                if sizes.get(name, 0) > MAX_BYTES[name]:
                    large = f"{name} of {repo_id} has {sizes[name] / 1e6:.0f} MB"
                    most = f"no model of singan has over {MAX_BYTES[name] / 1e6:.0f}"
                    raise HubError(f"{large}; {most}: it is not downloaded.")
        asked |= {"token": token, "local_files_only": local_files_only, "force_download": force_download}
        return Path(snapshot_download(repo_id, **asked))


def pull(repo_id: str, out: Path, *, revision: str | None = None, token: str | bool | None = None) -> Path:
    """Download a model into `out`, a new folder or an empty one, checked, whole or not at all.

    Raises `HubError`; `CheckpointError` if `out` is taken or what came is not a model that can be used.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CheckpointError(f"{out} exists: choose another folder, or remove it first.")
    _check_id(repo_id)
    folder = download(repo_id, revision=revision, token=token)
    try:
        read(folder)
    except CheckpointError as error:
        raise CheckpointError(f"{repo_id} on the Hub cannot be used: {error}") from None
    new = out.resolve()  # it may be a link, or "."
    new.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=new.parent, prefix=".singan-") as part, _explained(repo_id, revision, token):
        whole = Path(part) / "model"
        whole.mkdir()
        for name in FILES:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, whole / name)
        if new.exists():  # and may be where somebody is
            replace_files(new, {path.name: path.read_bytes() for path in whole.iterdir()}, lambda name: False)
        else:
            whole.rename(new)
    return out


def _check_id(repo_id: str) -> None:
    if not HUB_ID.fullmatch(repo_id):
        raise CheckpointError(f"{repo_id!r} is not of the form user/name; check the name.")


def make_repository(repo_id: str, *, private: bool | None = None, token: str | bool | None = None) -> None:
    """Make the repository unless it is there, which shows whether a push can work. Raises `HubError`; `CheckpointError`
    if the name is none."""
    _check_id(repo_id)
    with _explained(repo_id, None, token):
        api = HfApi(token=token)
        api.create_repo(repo_id, private=private, exist_ok=True)
        if private and not api.model_info(repo_id).private:
            cure = "choose another name, or make it private on its page first"
            raise HubError(f"{repo_id} exists and is public: {cure}.")


def push(
    folder: Path,
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | bool | None = None,
    revision: str | None = None,
    create_pr: bool = False,
    commit_message: str | None = None,
) -> Pushed:
    """Upload the model in `folder` as one commit on the branch `revision`; a repository or branch is made if need be.

    The card is the folder's if that was written by hand, else made anew; one written by hand on the Hub stays.
    Nothing is overwritten that was pushed by someone else in between. Raises `HubError`; `CheckpointError` if the
    folder holds no sound model, or the name is none.
    """
    description, _ = read(folder)
    folder = files_in(folder)
    files = {name: folder / name for name in FILES if (folder / name).is_file()}
    linked = next((name for name, path in files.items() if path.is_symlink()), None)
    if linked:  # it could lead to anything that is no part of the model
        raise CheckpointError(f"{folder / linked} is a symbolic link; put the file itself in its place.")
    by_hand = card_is_edited(folder)
    card = files[CARD_FILE].read_bytes() if by_hand else model_card(description, repo_id).encode()
    make_repository(repo_id, private=private, token=token)
    with _explained(repo_id, revision, token):
        api = HfApi(token=token)
        if revision is not None and not create_pr:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        before = api.model_info(repo_id, revision=revision)
        with tempfile.TemporaryDirectory() as cache:
            there = {file.rfilename for file in before.siblings or []}
            theirs = [name for name in (CONFIG_FILE, CARD_FILE) if name in there]
            card_kept = CARD_FILE in there and card_is_edited(
                download(repo_id, revision=before.sha, token=token, cache_dir=cache, files=theirs)
            )
        contents: dict[str, bytes | Path] = {**files, CARD_FILE: card}
        if card_kept:
            del contents[CARD_FILE]
        parts = [CommitOperationAdd(name, data) for name, data in contents.items()]
        message = commit_message or f"Upload a SinGAN model of {description.num_parameters:,} parameters"
        place: dict[str, Any] = {"revision": revision, "create_pr": create_pr, "parent_commit": before.sha}
        commit = api.create_commit(repo_id, parts, commit_message=message, **place)
    return Pushed(commit.pr_url or commit.commit_url, commit.oid, commit.oid != before.sha, card_kept)


@contextmanager
def _explained(
    repo_id: str, revision: str | None, token: str | bool | None, local_files_only: bool = False
) -> Iterator[None]:
    """Turn whatever the Hub's client raises into a `HubError` that says what to do. No address is quoted: it may
    be a signed one."""
    hub = constants.ENDPOINT
    try:
        yield
    except SinGANError:
        raise
    except GatedRepoError as error:
        raise HubError(f"{repo_id} is gated: ask for access on its page at {hub}, and log in.") from error
    except RepositoryNotFoundError as error:
        if token or (token is None and get_token()):
            cure = "check the name, or whether your token may read it"
        else:
            cure = "check the name; for a private one log in with `hf auth login` or give a token"
        raise HubError(f"There is no repository {repo_id} at {hub}, or it is private: {cure}.") from error
    except RevisionNotFoundError as error:
        raise HubError(f"{repo_id} has no revision {revision!r}; name a branch, a tag or a commit of it.") from error
    except RemoteEntryNotFoundError as error:
        raise HubError(f"{repo_id} changed while it was read; try again.") from error
    except HFValidationError as error:
        raise HubError(f"{repo_id!r} cannot be a repository of the Hub; check the name.") from error
    except LocalTokenNotFoundError as error:
        raise HubError("Nobody is logged in to the Hub: run `hf auth login`, or give a token.") from error
    except (OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        if local_files_only or constants.HF_HUB_OFFLINE:
            why = "local_files_only" if local_files_only else "HF_HUB_OFFLINE"
            raise HubError(f"{repo_id} needs the network and {why} is set: leave that out once.") from error
        missing = f"{repo_id} was not downloaded before"
        raise HubError(f"{hub} cannot be reached, and {missing}: check the network.") from error
    except (LocalProtocolError, UnicodeEncodeError):  # which quote it
        odd = "it has a line break, a space or letters beyond ASCII"
        raise HubError(f"The token (or the revision) cannot be sent to {hub}: {odd}; copy it again.") from None
    except HfHubHTTPError as error:
        raise HubError(_refusal(error.response.status_code, repo_id, hub)) from error
    except ValueError as error:  # the Hub looks at the first lines of a card before it takes it
        raise HubError(f"{hub} refuses {repo_id}: {one_line(error, 300)}") from error
    except Exception as error:  # httpx2, hf_xet and the disk have their own
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
            raise HubError("The disk is full: free some space and try again; nothing half-written is kept.") from error
        if isinstance(error, OSError) and error.filename:
            raise HubError(f"{error.filename}: {error.strerror}; check its permissions.") from error
        raise HubError(f"The exchange with {hub} failed ({type(error).__name__}): check the network.") from error


def _refusal(status: int, repo_id: str, hub: str) -> str:
    if status == 401:
        return f"{hub} does not know you: log in with `hf auth login`, or give a valid token."
    if status == 403:
        return f"{hub} refuses it (403): your token may not do this with {repo_id}; make one that may write to it."
    if status in (409, 412):
        return f"{repo_id} was changed by someone else in the meantime ({status}): look at it, then push again."
    if status == 429:
        return f"{hub} asks for fewer requests (429): wait some minutes and try again."
    return f"{hub} answered with an error ({status}) for {repo_id}: try again later."

"""`singan push`, `singan pull`, `singan convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from singan.cli.common import AsJson, Force, Revision, print_json, refuse_model

RepoId = Annotated[str, typer.Argument(metavar="USER/NAME", help="The repository on the Hub.")]


def push(
    model_dir: Annotated[str, typer.Argument(metavar="MODEL", help="Directory of a model, or a shipped name.")],
    repo_id: RepoId,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch to push to; made if it is not there.")] = None,
    create_pr: Annotated[bool, typer.Option("--pr", help="Open a pull request instead.")] = False,
    message: Annotated[str | None, typer.Option(help="Commit message.")] = None,
    as_json: AsJson = False,
) -> None:
    """Upload MODEL to the Hugging Face Hub, as whoever `hf auth login` logged in."""
    from singan.storage import hub

    pushed = hub.push(
        hub.local(model_dir) or Path(model_dir),
        repo_id,
        private=private or None,
        revision=revision,
        create_pr=create_pr,
        commit_message=message,
    )
    if as_json:
        print_json({"model": model_dir, "repo_id": repo_id, **vars(pushed)})
        return
    typer.echo(f"Pushed: {pushed.url}" if pushed.changed else f"Nothing to push: {repo_id} holds this model already.")
    if pushed.card_kept:
        typer.echo("The card there was edited by hand, and stays as it is.")


def pull(
    repo_id: RepoId,
    out: Annotated[Path, typer.Option(help="New directory to save the model in.")],
    revision: Revision = None,
    as_json: AsJson = False,
) -> None:
    """Download a model from the Hugging Face Hub into a directory of its own, whole or not at all."""
    from singan.storage import hub

    hub.pull(repo_id, out, revision=revision)
    if as_json:
        print_json({"model": str(out), "repo_id": repo_id, "revision": revision})
    else:
        typer.echo(f"Pulled {repo_id}: {out}")


def convert(
    old_dir: Annotated[Path, typer.Argument(metavar="OLD_DIR", help="Directory with Gs.pth, Zs.pth, ...")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Directory to save the model in.")],
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Turn a model of the published code into one of this package."""
    refuse_model(out, force, "another directory")

    from singan.convert import load_published

    model = load_published(old_dir)
    model.save_pretrained(out)
    if as_json:
        print_json({"model": str(out), "image_size": list(model.image_size), "scales": model.num_scales})
    else:
        height, width = model.image_size
        typer.echo(f"Converted {model.num_scales} scales up to {height}x{width} px: {out}")


COMMANDS = {"push": push, "pull": pull, "convert": convert}
EXAMPLES = {
    "push": "singan push photo-model user/name",
    "pull": "singan pull user/name --out name",
    "convert": "singan convert TrainedModels/birds/scale_factor=0.750000,alpha=10 birds",
}

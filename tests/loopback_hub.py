"""A Hugging Face Hub on the loopback: what the installed client asks of the real one, and faults on demand.

A repository is a list of commits, each a snapshot {path: bytes}; branches, tags and pull requests are names of
commits. Whoever sends `Bearer NAME-token` is NAME, who owns the repositories NAME/...; "reader-token" may read all
and write nothing. Set `hub.fail` to a status, or `hub.drop` to {file name: bytes after which the connection is cut}.
`hub.requests` lists what was asked, as "GET /path" and, for downloads that are resumed, with the Range.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

SOCKET = socket.create_server(("127.0.0.1", 0))  # bound at once: the client reads HF_ENDPOINT when it is imported
ENDPOINT = f"http://127.0.0.1:{SOCKET.getsockname()[1]}"
Snapshot = dict[str, bytes]


@dataclass
class Repository:
    """`commits` by their ids, `refs` (branches, tags, refs/pr/N) by name."""

    private: bool = False
    commits: dict[str, Snapshot] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(self, ref: str, files: Snapshot) -> str:
        oid = hashlib.sha1(repr((len(self.commits), ref)).encode()).hexdigest()
        self.commits[oid] = files
        self.refs[ref] = oid
        return oid

    def at(self, revision: str) -> str | None:
        return self.refs.get(revision) or (revision if revision in self.commits else None)


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str, code: str = "", **more: str) -> None:
        super().__init__(message)
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        self.response = JSONResponse({"error": message, **more}, status, headers)


def is_large(path: str) -> bool:
    """Whether the Hub keeps the file outside git (its .gitattributes say so)."""
    return path.endswith(".safetensors")


def oid(path: str, data: bytes) -> str:
    """As git, or git LFS, calls the contents."""
    if is_large(path):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Hub:
    """The server and all that it holds."""

    def __init__(self) -> None:
        self.reset()
        self.server = uvicorn.Server(uvicorn.Config(self.app(), log_level="critical", lifespan="off"))
        threading.Thread(target=self.server.run, kwargs={"sockets": [SOCKET]}, daemon=True).start()
        while not self.server.started:
            time.sleep(0.01)

    def reset(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}  # uploaded large files by SHA-256
        self.xet: dict[str, str] = {}  # SHA-256 -> Xet hash, of those that went there instead
        self.cas = ""  # address of the Xet storage
        self.requests: list[str] = []
        self.fail = 0
        self.drop: dict[str, int] = {}
        self.before_commit = lambda: None

    def add(self, repo_id: str, files: Snapshot, *, private: bool = False) -> Repository:
        """A repository with one commit."""
        repository = self.repositories.setdefault(repo_id, Repository(private))
        repository.commit("main", files)
        return repository

    def files(self, repo_id: str, revision: str = "main") -> Snapshot:
        repository = self.repositories[repo_id]
        return repository.commits[repository.refs[revision]]

    # --- who asks, and for what -------------------------------------------------------------------

    def user(self, request: Request) -> str | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return token.removesuffix("-token") if kind == "Bearer" and token.endswith("-token") else None

    def repository(self, request: Request, *, write: bool = False) -> tuple[str, Repository]:
        repo_id = "{user}/{name}".format(**request.path_params)
        user, repository = self.user(request), self.repositories.get(repo_id)
        owner = repo_id.partition("/")[0]
        if repository is None or (repository.private and user not in (owner, "reader")):
            # Over https the client takes any 401 about a repository for this code; over http it must be said.
            raise Refusal(404 if user else 401, "Repository not found", "RepoNotFound")
        if write and user != owner:
            raise Refusal(403 if user else 401, "Forbidden")
        return repo_id, repository

    def snapshot(self, request: Request) -> tuple[str, Repository, str]:
        repo_id, repository = self.repository(request)
        revision = request.path_params.get("revision", "main")
        commit = repository.at(revision)
        if commit is None:
            raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return repo_id, repository, commit

    # --- what the client calls --------------------------------------------------------------------

    async def whoami(self, request: Request) -> Response:
        user = self.user(request)
        if user is None:
            raise Refusal(401, "Invalid username or password.")
        return JSONResponse({"type": "user", "name": user, "orgs": []})

    async def create(self, request: Request) -> Response:
        asked, user = await request.json(), self.user(request)
        if user is None:
            raise Refusal(401, "Invalid username or password.")
        repo_id = f"{asked.get('organization') or user}/{asked['name']}"
        if repo_id in self.repositories:
            raise Refusal(409, "You already created this model repo", url=f"{ENDPOINT}/{repo_id}")
        if repo_id.partition("/")[0] != user:
            raise Refusal(403, "You don't have the rights to create a model under this namespace")
        self.add(
            repo_id, {".gitattributes": b"*.safetensors filter=lfs\n"}, private=asked.get("visibility") == "private"
        )
        return JSONResponse({"url": f"{ENDPOINT}/{repo_id}"})

    async def info(self, request: Request) -> Response:
        repo_id, repository, commit = self.snapshot(request)
        files = [{"rfilename": path, "size": len(data)} for path, data in repository.commits[commit].items()]
        return JSONResponse({"id": repo_id, "sha": commit, "private": repository.private, "siblings": files})

    async def refs(self, request: Request) -> Response:
        _, repository = self.repository(request)
        branches = [{"name": name, "ref": name, "targetCommit": oid} for name, oid in repository.refs.items()]
        return JSONResponse({"branches": branches, "tags": [], "converts": []})

    async def tree(self, request: Request) -> Response:
        _, repository, commit = self.snapshot(request)
        listed = []
        for path, data in repository.commits[commit].items():
            entry = {"type": "file", "path": path, "size": len(data), "oid": oid(path, data)}
            if is_large(path):
                entry["lfs"] = {"oid": oid(path, data), "size": len(data), "pointerSize": 134}
                if self.xet:
                    entry["xetHash"] = self.xet[oid(path, data)]
            listed.append(entry)
        return JSONResponse(listed)

    async def branch(self, request: Request) -> Response:
        _, repository = self.repository(request, write=True)
        if request.path_params["revision"] in repository.refs:
            raise Refusal(409, "Reference already exists")
        repository.refs[request.path_params["revision"]] = repository.refs["main"]
        return JSONResponse({})

    async def validate(self, request: Request) -> Response:
        text = (await request.json())["content"]
        errors = [] if text.startswith("---\nlicense: ") else [{"message": "license is missing"}]
        return JSONResponse({"errors": errors, "warnings": []}, 400 if errors else 200)

    async def preupload(self, request: Request) -> Response:
        _, repository, commit = self.snapshot(request)
        self.repository(request, write=request.query_params.get("create_pr") is None)
        answers = []
        for file in (await request.json())["files"]:
            path, there = file["path"], repository.commits[commit].get(file["path"])
            answer = {"path": path, "uploadMode": "lfs" if is_large(path) else "regular", "shouldIgnore": False}
            answers.append(answer | {"oid": None if there is None else oid(path, there)})
        return JSONResponse({"files": answers})

    async def batch(self, request: Request) -> Response:
        objects = []
        for item in (await request.json())["objects"]:
            href = f"{ENDPOINT}/large/{item['oid']}"
            action = {} if item["oid"] in self.large else {"actions": {"upload": {"href": href}}}
            objects.append({"oid": item["oid"], "size": item["size"], **action})
        return JSONResponse({"transfer": "basic", "objects": objects})

    async def upload(self, request: Request) -> Response:
        data = await request.body()
        if hashlib.sha256(data).hexdigest() != request.path_params["sha"]:
            raise Refusal(400, "wrong checksum")
        self.large[request.path_params["sha"]] = data
        return Response()

    async def xet_token(self, request: Request) -> Response:
        expires = int(time.time()) + 3600
        headers = {"X-Xet-Cas-Url": self.cas, "X-Xet-Access-Token": "t", "X-Xet-Token-Expiration": str(expires)}
        return JSONResponse({"casUrl": self.cas, "accessToken": "t", "exp": expires}, headers=headers)

    async def commit(self, request: Request) -> Response:
        body = [json.loads(line) for line in (await request.body()).splitlines()]
        self.before_commit()
        repo_id, repository, head = self.snapshot(request)
        pull = request.query_params.get("create_pr") is not None
        self.repository(request, write=not pull)
        files = dict(repository.commits[head])
        for line in body:
            value = line["value"]
            if line["key"] == "header" and value.get("parentCommit", head) != head:
                raise Refusal(412, "A commit has happened since. Please refresh and try again.")
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            if line["key"] == "lfsFile":
                if value["oid"] not in self.large:
                    raise Refusal(400, "the large file was not uploaded")
                files[value["path"]] = self.large[value["oid"]]
        number = sum(ref.startswith("refs/pr/") for ref in repository.refs) + 1
        made = repository.commit(f"refs/pr/{number}" if pull else request.path_params["revision"], files)
        answer = {"success": True, "commitOid": made, "commitUrl": f"{ENDPOINT}/{repo_id}/commit/{made}"}
        if pull:
            answer |= {"pullRequestUrl": f"{ENDPOINT}/{repo_id}/discussions/{number}", "pullRequestCreated": True}
        return JSONResponse(answer)

    async def resolve(self, request: Request) -> Response:
        repo_id, repository, commit = self.snapshot(request)
        path = request.path_params["path"]
        data = repository.commits[commit].get(path)
        if data is None:
            raise Refusal(404, "Entry not found", "EntryNotFound")
        etag = f'"{oid(path, data)}"'
        headers = {"X-Repo-Commit": commit, "ETag": etag, "Accept-Ranges": "bytes"}
        if is_large(path):
            headers |= {"X-Linked-Etag": etag, "X-Linked-Size": str(len(data))}
            if self.xet:
                headers["X-Xet-Hash"] = self.xet[oid(path, data)]
                headers["X-Xet-Refresh-Route"] = f"{ENDPOINT}/api/models/{repo_id}/xet-read-token/{commit}"
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        rest = data[start:]
        headers["Content-Length"] = str(len(rest))
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        if request.method == "HEAD":
            return Response(headers=headers)
        cut = self.drop.pop(path, None)

        async def send() -> AsyncIterator[bytes]:
            yield rest[:cut]
            if cut is not None:
                raise ConnectionAbortedError  # uvicorn closes the connection with bytes missing

        return StreamingResponse(send(), 206 if start else 200, headers)

    def app(self) -> Starlette:
        api, repo = "/api/models/{user}/{name}", "/{user}/{name}"
        calls = [
            ("GET", "/api/whoami-v2", self.whoami),
            ("POST", "/api/repos/create", self.create),
            ("POST", "/api/validate-yaml", self.validate),
            ("GET", api, self.info),
            ("GET", api + "/refs", self.refs),
            ("GET", api + "/revision/{revision:path}", self.info),
            ("GET", api + "/tree/{revision:path}", self.tree),
            ("POST", api + "/branch/{revision:path}", self.branch),
            ("POST", api + "/preupload/{revision:path}", self.preupload),
            ("POST", api + "/commit/{revision:path}", self.commit),
            ("GET", api + "/xet-{kind}-token/{revision:path}", self.xet_token),
            ("POST", repo + ".git/info/lfs/objects/batch", self.batch),
            ("PUT", "/large/{sha}", self.upload),
            ("GET", repo + "/resolve/{revision}/{path:path}", self.resolve),
        ]
        return Starlette(routes=[Route(path, self.answer(call), methods=[method]) for method, path, call in calls])

    def answer(self, call):
        """`call`, with refusals and faults turned into answers."""

        async def handle(request: Request) -> Response:
            ranged = request.headers.get("range", "")
            self.requests.append(f"{request.method} {request.url.path} {ranged}".strip())
            if self.fail:
                return JSONResponse({"error": "on demand"}, self.fail)
            try:
                return await call(request)
            except Refusal as refusal:
                return refusal.response

        return handle

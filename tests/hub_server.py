"""A hub on the loopback: the few requests of huggingface_hub that models need, as that library sends them.

Files lie in memory by repository and commit. Large ones come by git LFS's basic transfer, small ones within the commit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlparse

TOKEN = "hf_" + "a" * 34


class Hub(ThreadingHTTPServer):
    """What the hub holds, and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        """Repository -> branch -> path -> content."""
        self.private: set[str] = set()
        self.objects: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.messages: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def put(self, repository: str, files: dict[str, bytes], branch: str = "main") -> None:
        self.repositories.setdefault(repository, {"main": {}}).setdefault(branch, {}).update(files)


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.handle_request()

    do_GET = do_POST = do_PUT = do_HEAD

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def handle_request(self) -> None:
        path = unquote(urlparse(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        for method, pattern, respond in ROUTES:
            found = re.fullmatch(pattern, path)
            if found and self.command in method.split():
                return respond(self, body, *found.groups())
        return self.answer(404, {"error": f"no such page: {path}"})

    def may_write(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {TOKEN}":
            return True
        self.answer(401, {"error": "Invalid username or password."})
        return False

    def answer(self, status: int, content: Any, **headers: str) -> None:
        sent = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(sent)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent)

    def missing(self, code: str, status: int = 404) -> None:
        self.answer(status, {"error": code}, X_Error_Code=code, X_Error_Message=code)

    def found(self, repository: str, revision: str) -> dict[str, bytes] | None:
        branches = self.server.repositories.get(repository)
        hidden = repository in self.server.private and self.headers.get("Authorization") != f"Bearer {TOKEN}"
        if branches is None or hidden:
            self.missing("RepoNotFound", 401)
            return None
        if revision not in branches:
            revision = next((name for name, files in branches.items() if commit_of(files) == revision), "")
        if revision not in branches:
            self.missing("RevisionNotFound")
            return None
        return branches[revision]

    def create(self, body: bytes) -> None:
        if self.may_write():
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            if name in self.server.repositories:
                self.answer(409, {"error": "You already created this model repo", "url": name})
            else:
                self.server.put(name, {})
                if asked.get("visibility") == "private" or asked.get("private"):
                    self.server.private.add(name)
                self.answer(200, {"url": f"{self.server.url}/{name}", "id": name})

    def branch(self, body: bytes, repository: str, branch: str) -> None:
        if self.may_write():
            if branch in self.server.repositories[repository]:
                self.answer(409, {"error": "Reference already exists"})
            else:
                self.server.put(repository, {}, branch)
                self.answer(201, {})

    def validate(self, body: bytes) -> None:
        """As the hub: only licences that it knows, of which these are some, and no repository of another."""
        found = re.search(r"^license: (.*)$", json.loads(body)["content"], re.MULTILINE)
        if found and found[1] not in ("mit", "apache-2.0", "cc-by-nc-4.0", "other", "gemma"):
            self.answer(400, {"errors": [{"message": '"license" must be one of [...]'}], "warnings": []})
        else:
            self.answer(200, {"errors": [], "warnings": []})

    def preupload(self, body: bytes, repository: str, revision: str) -> None:
        if self.may_write():
            files = [
                {"path": file["path"], "uploadMode": how_sent(file["path"]), "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self.answer(200, {"files": files})

    def lfs_batch(self, body: bytes, repository: str) -> None:
        if self.may_write():
            url = f"{self.server.url}/lfs"
            objects = [
                one | {"authenticated": True, "actions": {"upload": {"href": f"{url}/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            self.answer(200, {"transfer": "basic", "objects": objects})

    def lfs_upload(self, body: bytes, oid: str) -> None:
        assert hashlib.sha256(body).hexdigest() == oid
        self.server.objects[oid] = body
        self.answer(200, {})

    def commit(self, body: bytes, repository: str, revision: str) -> None:
        if self.may_write():
            files = self.server.repositories[repository][revision]
            for line in map(json.loads, body.splitlines()):
                value = line["value"]
                if line["key"] == "header":
                    self.server.messages.append(value["summary"])
                elif line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = self.server.objects[value["oid"]]
            oid = commit_of(files)
            self.answer(200, {"commitUrl": f"{self.server.url}/{repository}/commit/{oid}", "commitOid": oid})

    def tree(self, body: bytes, repository: str, revision: str) -> None:
        if (files := self.found(repository, revision)) is not None:
            rows = [{"type": "file", "path": p, "size": len(c), "oid": sha1(c)} for p, c in files.items()]
            self.answer(200, rows)

    def about(self, body: bytes, repository: str, revision: str) -> None:
        if (files := self.found(repository, revision)) is not None:
            siblings = [{"rfilename": path} for path in files]
            self.answer(200, {"id": repository, "modelId": repository, "sha": commit_of(files), "siblings": siblings})

    def resolve(self, body: bytes, repository: str, revision: str, path: str) -> None:
        if (files := self.found(repository, revision)) is not None:
            commit = {"X_Repo_Commit": commit_of(files)}
            if path not in files:
                self.answer(404, {}, X_Error_Code="EntryNotFound", **commit)
            else:
                self.answer(200, files[path], ETag=f'"{sha1(files[path])}"', **commit)


REPO = r"([\w.-]+/[\w.-]+)"
ROUTES: list[tuple[str, str, Any]] = [
    ("POST", r"/api/repos/create", Handler.create),
    ("POST", r"/api/validate-yaml", Handler.validate),
    ("POST", rf"/api/models/{REPO}/branch/(.+)", Handler.branch),
    ("POST", rf"/api/models/{REPO}/preupload/(.+)", Handler.preupload),
    ("POST", rf"/{REPO}\.git/info/lfs/objects/batch", Handler.lfs_batch),
    ("PUT", r"/lfs/(\w+)", Handler.lfs_upload),
    ("POST", rf"/api/models/{REPO}/commit/(.+)", Handler.commit),
    ("GET", rf"/api/models/{REPO}/tree/([^/]+)", Handler.tree),
    ("GET", rf"/api/models/{REPO}/revision/([^/]+)", Handler.about),
    ("GET HEAD", rf"/{REPO}/resolve/([^/]+)/(.+)", Handler.resolve),
]


def how_sent(path: str) -> str:
    return "lfs" if path.endswith((".safetensors", ".png")) else "regular"


def sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def commit_of(files: dict[str, bytes]) -> str:
    return sha1(json.dumps({path: sha1(content) for path, content in sorted(files.items())}).encode())


@contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()

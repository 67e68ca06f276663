"""A model hub on loopback, for the unmodified client libraries: accounts, private repositories, branches, tags,
commits, large files over LFS and over Xet. All is kept in memory.

    with LoopbackHub({"hf_token": ("alice", "write")}, orgs={"acme": ["alice"]}) as hub:
        hub.endpoint, hub.requests, hub.faults, hub.files("alice/model")

Two servers run, as in the real service: the hub, and a storage host with signed addresses, which must never see a
token of the hub. A fault, {"match": REGEX, "status": 503} or {"match": REGEX, "drop": BYTES}, and perhaps "times" and
"method", makes the next matching requests fail: with that status, or by a connection that breaks after so many bytes.
"""

import base64
import hashlib
import hmac
import json
import re
import struct
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin", ".pt", ".pth", ".model", ".spm")  # kept apart, as .gitattributes has it on the Hub


@dataclass(frozen=True)
class File:
    content: bytes
    large: bool

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n".encode()
        )

    @property
    def oid(self) -> str:
        blob = self.pointer if self.large else self.content
        return hashlib.sha1(b"blob %d\0" % len(blob) + blob).hexdigest()


@dataclass
class Repository:
    private: bool
    commits: dict[str, dict[str, File]] = field(default_factory=dict)  # the files of each
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, File]) -> str:
        oid = uuid.uuid4().hex + "00000000"
        self.commits[oid] = files
        self.branches[branch] = oid
        return oid

    def resolve(self, revision: str) -> str:
        oid = self.branches.get(revision) or self.tags.get(revision) or revision
        if oid not in self.commits:
            raise Answer(404, f"Invalid rev id: {revision}", code="RevisionNotFound")
        return oid


class Answer(Exception):
    """Any HTTP answer: returned, or raised where it is an error."""

    def __init__(self, status: int, body=b"", *, code: str | None = None, **headers: str):
        super().__init__(status, body)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, str):
            self.headers["X-Error-Message"] = body
            body = {"error": body}
        if code:
            self.headers["X-Error-Code"] = code
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()


ROUTES: list = []
REPO = r"/api/models/(?P<repo>[^/]+/[^/]+)"


def route(method: str, pattern: str, host: str = "hub"):
    def add(function):
        ROUTES.append((host, method, re.compile(pattern), function))
        return function

    return add


class LoopbackHub:
    """`users` maps a token to its account and role ("write" or "read"), `orgs` an organisation to its members."""

    def __init__(self, users: dict[str, tuple[str, str]], *, orgs: dict[str, list[str]] | None = None):
        self.users, self.orgs = users, orgs or {}
        self.requests: list[dict] = []
        self.faults: list[dict] = []
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}  # large files by SHA-256
        self.xorbs: dict[str, bytes] = {}  # Xet: packed chunks
        self.reconstructions: dict[str, dict] = {}  # Xet: of which chunks a file consists
        self.lock, self._key = threading.RLock(), uuid.uuid4().bytes
        self._servers = [_server(self, host) for host in ("hub", "storage")]
        # Hosts of two names: huggingface_hub before 2 takes one name for one host, on whatever port.
        self.endpoint, self.storage = (
            f"http://{name}:{server.server_address[1]}"
            for name, server in zip(("127.0.0.1", "localhost"), self._servers, strict=True)
        )

    def __enter__(self) -> "LoopbackHub":
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        """What a branch, tag or commit holds."""
        there = self.repositories[repo]
        return {path: file.content for path, file in there.commits[there.resolve(revision)].items()}

    def sent(self, method: str, pattern: str) -> list[dict]:
        """The requests so far of that method whose path matches."""
        return [one for one in self.requests if one["method"] == method and re.search(pattern, one["path"])]

    def signed(self, path: str) -> str:
        return f"{self.storage}{path}?signature={self._signature(path)}"

    def _signature(self, path: str) -> str:
        return hmac.new(self._key, path.encode(), "sha256").hexdigest()

    def check_signature(self, path: str, query: dict) -> None:
        if query.get("signature") != [self._signature(path)]:
            raise Answer(403, "signature missing or wrong")

    def may_write(self, user: str | None, owner: str) -> bool:
        return user is not None and (user == owner or user in self.orgs.get(owner, []))

    def repository(self, request: "Request", repo: str, *, write: bool = False) -> Repository:
        owner = repo.split("/")[0]
        mine, there = self.may_write(request.user, owner), self.repositories.get(repo)
        if there is None or (there.private and not mine):
            status = 401 if request.user is None else 404  # a stranger is not told whether it exists
            raise Answer(status, "Repository not found", code="RepoNotFound")
        if write and not (mine and request.role == "write"):
            raise Answer(403, "Forbidden: you must use a write token to upload to a repository.")
        return there


# The hub: accounts and repositories


@route("GET", "/api/whoami-v2")
def whoami(hub, request):
    request.need_user()
    orgs = [{"name": org, "roleInOrg": "write"} for org, members in hub.orgs.items() if request.user in members]
    token = {"accessToken": {"displayName": "loopback", "role": request.role}}
    return {"type": "user", "name": request.user, "orgs": orgs, "auth": token}


@route("POST", "/api/validate-yaml")
def validate_yaml(hub, request):
    return {"errors": [], "warnings": []}


@route("POST", "/api/repos/create")
def create_repository(hub, request):
    request.need_user()
    body = request.json()
    owner = body.get("organization") or request.user
    if not hub.may_write(request.user, owner) or request.role != "write":
        raise Answer(403, f"You don't have the rights to create a model under the namespace {owner}")
    name = f"{owner}/{body['name']}"
    answer = {"url": f"{hub.endpoint}/{name}", "name": name, "id": name}
    if name in hub.repositories:
        raise Answer(409, answer | {"error": "You already created this model repo"})
    private = body.get("visibility") == "private" or bool(body.get("private"))
    hub.repositories[name] = Repository(private=private)
    hub.repositories[name].commit("main", {".gitattributes": File(b"*.safetensors filter=lfs\n", large=False)})
    return answer


@route("GET", REPO + r"(/revision/(?P<revision>[^/]+))?")
def information(hub, request, repo, revision):
    there = hub.repository(request, repo)
    commit = there.resolve(revision or "main")
    siblings = [{"rfilename": path} for path in there.commits[commit]]
    return {"id": repo, "modelId": repo, "sha": commit, "private": there.private, "siblings": siblings, "tags": []}


@route("GET", REPO + r"/tree/(?P<revision>[^/]+)(/(?P<path>.*))?")
def tree(hub, request, repo, revision, path):
    there = hub.repository(request, repo)
    files = there.commits[there.resolve(revision)]
    return [_entry(hub, name, file) for name, file in files.items() if name.startswith(path or "")]


def _entry(hub, path: str, file: File) -> dict:
    entry = {"type": "file", "path": path, "oid": file.oid, "size": len(file.content)}
    if file.large:
        entry["lfs"] = {"oid": file.sha256, "size": len(file.content), "pointerSize": len(file.pointer)}
    return entry


@route("GET", REPO + "/refs")
def references(hub, request, repo):
    there = hub.repository(request, repo)

    def listed(kind, refs):
        return [{"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": oid} for name, oid in refs.items()]

    return {"branches": listed("heads", there.branches), "tags": listed("tags", there.tags), "converts": []}


@route("POST", REPO + r"/branch/(?P<name>[^/]+)")
def create_branch(hub, request, repo, name):
    there = hub.repository(request, repo, write=True)
    if name in there.branches:
        raise Answer(409, f"Reference refs/heads/{name} already exists")
    there.branches[name] = there.resolve(request.json().get("startingPoint") or "main")
    return {}


@route("POST", REPO + r"/tag/(?P<revision>[^/]+)")
def create_tag(hub, request, repo, revision):
    there, name = hub.repository(request, repo, write=True), request.json()["tag"]
    if name in there.tags:
        raise Answer(409, f"Tag {name} already exists")
    there.tags[name] = there.resolve(revision)
    return {}


@route("POST", REPO + r"/preupload/(?P<revision>[^/]+)")
def preupload(hub, request, repo, revision):
    there = hub.repository(request, repo, write=True)
    files, answer = there.commits[there.resolve(revision)], []
    for one in request.json()["files"]:
        known = files.get(one["path"])
        oid = known and (known.sha256 if known.large else known.oid)
        mode = "lfs" if one["path"].endswith(LARGE) else "regular"
        answer.append({"path": one["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
    return {"files": answer}


@route("POST", REPO + r"/commit/(?P<revision>[^/]+)")
def commit(hub, request, repo, revision):
    there = hub.repository(request, repo, write=True)
    if revision not in there.branches:
        raise Answer(404, f"Invalid rev id: {revision}", code="RevisionNotFound")
    with hub.lock:
        files = dict(there.commits[there.branches[revision]])
        for line in map(json.loads, request.body().splitlines()):
            key, value = line["key"], line["value"]
            if key == "file":
                files[value["path"]] = File(base64.b64decode(value["content"]), large=False)
            elif key == "lfsFile":
                if value["oid"] not in hub.objects:
                    raise Answer(400, f"{value['path']} points to a file that was not uploaded")
                files[value["path"]] = File(hub.objects[value["oid"]], large=True)
            elif key == "deletedFile":
                del files[value["path"]]
        oid = there.commit(revision, files)
    return {"success": True, "commitOid": oid, "commitUrl": f"{hub.endpoint}/{repo}/commit/{oid}", "hookOutput": ""}


@route("GET", r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
def resolve(hub, request, repo, revision, path):
    there = hub.repository(request, repo)
    oid = there.resolve(revision)
    file = there.commits[oid].get(path)
    if file is None:
        raise Answer(404, "Entry not found", code="EntryNotFound", X_Repo_Commit=oid)
    if not file.large:
        return Answer(200, file.content, X_Repo_Commit=oid, ETag=f'"{file.oid}"')
    headers = {"X_Repo_Commit": oid, "X_Linked_Etag": f'"{file.sha256}"', "X_Linked_Size": str(len(file.content))}
    by_xet = next((name for name, known in hub.reconstructions.items() if known["sha256"] == file.sha256), None)
    if by_xet:
        token = f"{hub.endpoint}/api/models/{repo}/xet-read-token/{oid}"
        headers |= {"X_Xet_Hash": by_xet, "Link": f'<{token}>; rel="xet-auth"'}
    return Answer(302, b"", Location=hub.signed(f"/lfs/{file.sha256}"), ETag=f'"{file.sha256}"', **headers)


# Large files over LFS


@route("POST", r"/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch")
def lfs_batch(hub, request, repo):
    hub.repository(request, repo, write=True)
    objects = []
    for one in request.json()["objects"]:
        answer = {"oid": one["oid"], "size": one["size"]}
        if one["oid"] not in hub.objects:
            verify = {"href": f"{hub.endpoint}/{repo}.git/info/lfs/objects/verify"}
            answer["actions"] = {"upload": {"href": hub.signed(f"/lfs/{one['oid']}")}, "verify": verify}
        objects.append(answer)
    return {"transfer": "basic", "objects": objects}


@route("POST", r"/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/verify")
def lfs_verify(hub, request, repo):
    if request.json()["oid"] not in hub.objects:
        raise Answer(404, "the object was not uploaded")
    return {}


@route("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", "storage")
def lfs_put(hub, request, oid):
    hub.check_signature(request.route, request.query)
    if hashlib.sha256(request.body()).hexdigest() != oid:
        raise Answer(400, "the content has not the SHA-256 it is sent under")
    hub.objects[oid] = request.body()
    return {}


@route("GET", r"/lfs/(?P<oid>[0-9a-f]{64})", "storage")
def lfs_get(hub, request, oid):
    hub.check_signature(request.route, request.query)
    return request.part(hub.objects[oid])


# Large files over Xet: chunks packed into xorbs, and shards that say of which chunks a file consists


@route("GET", REPO + r"/xet-(?P<scope>read|write)-token/(?P<revision>[^/]+)")
def xet_token(hub, request, repo, scope, revision):
    hub.repository(request, repo, write=scope == "write")
    token, expires = f"xet_{scope}", int(time.time()) + 3600
    headers = {"X_Xet_Cas_Url": hub.storage, "X_Xet_Access_Token": token, "X_Xet_Token_Expiration": str(expires)}
    return Answer(200, {"casUrl": hub.storage, "accessToken": token, "exp": expires}, **headers)


@route("POST", r"/v1/xorbs/default/(?P<name>[0-9a-f]{64})", "storage")
def put_xorb(hub, request, name):
    request.need_xet("write")
    new = name not in hub.xorbs
    hub.xorbs[name] = request.body()
    return {"was_inserted": new}


@route("POST", "/v1/shards", "storage")
def put_shard(hub, request):
    request.need_xet("write")
    for name, terms in _read_shard(request.body()):
        content = b"".join(
            _unpack(hub.xorbs[xorb], chunk)
            for xorb, first, end in terms
            for chunk in _chunks(hub.xorbs[xorb])[first:end]
        )
        sha256 = hashlib.sha256(content).hexdigest()
        hub.objects[sha256] = content
        hub.reconstructions[name] = {"sha256": sha256, "size": len(content), "terms": terms}
    return {"result": 1}


@route("GET", r"/v1/reconstructions/(?P<name>[0-9a-f]{64})", "storage")
def reconstruction(hub, request, name):
    """The chunks that hold the asked bytes, and where they lie in their xorbs."""
    request.need_xet("read")
    file = hub.reconstructions[name]
    start, stop = request.byte_range(file["size"]) or (0, file["size"])
    position, offset, terms, fetch = 0, None, [], {}
    for xorb, first, end in file["terms"]:
        chunks, wanted = _chunks(hub.xorbs[xorb]), []
        for index in range(first, end):
            before, position = position, position + chunks[index][3]
            if before < stop and position > start:
                wanted.append(index)
                offset = start - before if offset is None else offset
        if wanted:
            span = {"start": wanted[0], "end": wanted[-1] + 1}
            unpacked = sum(chunks[index][3] for index in wanted)
            terms.append({"hash": xorb, "unpacked_length": unpacked, "range": span})
            bytes_range = {"start": chunks[wanted[0]][0], "end": chunks[wanted[-1]][1] - 1}
            where = {"range": span, "url": hub.signed(f"/xorb/{xorb}"), "url_range": bytes_range}
            fetch.setdefault(xorb, []).append(where)
    return {"offset_into_first_range": offset or 0, "terms": terms, "fetch_info": fetch}


@route("GET", r"/xorb/(?P<name>[0-9a-f]{64})", "storage")
def get_xorb(hub, request, name):
    hub.check_signature(request.route, request.query)
    return request.part(hub.xorbs[name])


@route("POST", "/v1/telemetry", "storage")
def telemetry(hub, request):
    return {}


def _read_shard(data: bytes):
    """Each file's hash and its terms (xorb, first chunk, end chunk)."""
    at = 48
    while data[at : at + 32] != b"\xff" * 32:
        name, (flags, count) = _hex(data[at : at + 32]), struct.unpack_from("<II", data, at + 32)
        at += 48
        terms = []
        for place in range(at, at + 48 * count, 48):
            _, first, end = struct.unpack_from("<III", data, place + 36)
            terms.append((_hex(data[place : place + 32]), first, end))
        at += 48 * count * (2 if flags >> 31 else 1)  # each term may carry a proof
        at += 48 if flags >> 30 & 1 else 0  # the SHA-256
        yield name, terms


def _hex(raw: bytes) -> str:
    """A Xet hash is written as four little-endian words."""
    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", raw))


def _chunks(xorb: bytes) -> list[tuple[int, int, int, int]]:
    """(start, end, scheme, unpacked length) of each chunk: 8 bytes of header, then its bytes."""
    chunks, at = [], 0
    while at < len(xorb) and xorb[at : at + 7] != b"XETBLOB":  # the footer
        end = at + 8 + int.from_bytes(xorb[at + 1 : at + 4], "little")
        chunks.append((at, end, xorb[at + 4], int.from_bytes(xorb[at + 5 : at + 8], "little")))
        at = end
    return chunks


def _unpack(xorb: bytes, chunk: tuple[int, int, int, int]) -> bytes:
    start, end, scheme, size = chunk
    data = xorb[start + 8 : end]
    if scheme:  # 0: as it is, 1: LZ4, 2: LZ4 of the four byte planes of 32-bit numbers
        data = _unlz4(data)
    if scheme == 2:
        plain, at = bytearray(size), 0
        for plane in range(4):
            count = len(plain[plane::4])
            plain[plane::4] = data[at : at + count]
            at += count
        data = bytes(plain)
    assert len(data) == size
    return data


def _unlz4(data: bytes) -> bytes:
    """An LZ4 frame."""
    flags, out = data[4], bytearray()
    at = 7 + 8 * (flags >> 3 & 1) + 4 * (flags & 1)
    while size := struct.unpack_from("<I", data, at)[0]:
        at += 4
        length, stored = size & 0x7FFFFFFF, size >> 31
        block = data[at : at + length]
        at += length + 4 * (flags >> 4 & 1)
        if stored:
            out += block
        else:
            _unlz4_block(block, out)
    return bytes(out)


def _unlz4_block(block: bytes, out: bytearray) -> None:
    at = 0

    def length(short: int) -> int:
        nonlocal at
        more = 255 if short == 15 else 0
        while more == 255:
            more, at = block[at], at + 1
            short += more
        return short

    while at < len(block):
        token, at = block[at], at + 1
        literals = length(token >> 4)
        out += block[at : at + literals]
        at += literals
        if at < len(block):
            back, at = block[at] | block[at + 1] << 8, at + 2
            copied = length(token & 15) + 4
            piece = bytes(out[-back:][:copied])
            out += (piece * (copied // len(piece) + 1))[:copied]


# HTTP


class Request(BaseHTTPRequestHandler):
    protocol_version, timeout = "HTTP/1.1", 300  # longer than clients keep a connection for the next request
    hub: LoopbackHub
    host: str

    def log_message(self, *_):
        pass

    def body(self) -> bytes:
        if self._body is None:
            if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
                pieces = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                self._body = b"".join(pieces)
            else:
                self._body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return self._body

    def json(self):
        return json.loads(self.body() or b"{}")

    def need_user(self) -> None:
        if self.user is None:
            raise Answer(401, "Invalid username or password.")

    def need_xet(self, scope: str) -> None:
        if self.headers.get("Authorization") != f"Bearer xet_{scope}":
            raise Answer(401, "invalid Xet token")

    def byte_range(self, size: int) -> tuple[int, int] | None:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        return (int(match[1]), min(size, int(match[2] or size) + 1)) if match else None

    def part(self, content: bytes) -> Answer:
        """The bytes asked for."""
        span = self.byte_range(len(content))
        if span is None:
            return Answer(200, content, Accept_Ranges="bytes")
        place = f"bytes {span[0]}-{span[1] - 1}/{len(content)}"
        return Answer(206, content[slice(*span)], Content_Range=place)

    def answer(self) -> None:
        address = urlsplit(self.path)
        self.route, self.query, self._body = address.path, parse_qs(address.query), None
        self.user = self.role = None
        fault = self._fault()
        if fault and "drop" in fault:
            self.rfile.read(fault["drop"])
            self._record(0)
            self.close_connection = True
            return
        try:
            if fault:
                raise Answer(fault["status"], "injected fault")
            answer = self._answer()
        except Answer as error:
            answer = error
        self.body()  # what was not read would be taken for the next request
        answer = answer if isinstance(answer, Answer) else Answer(200, answer)
        self._record(answer.status)
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    def _fault(self) -> dict | None:
        with self.hub.lock:
            for fault in self.hub.faults:
                method = fault.get("method", self.command)
                if fault.get("times", 1) > 0 and method == self.command and re.search(fault["match"], self.path):
                    fault["times"] = fault.get("times", 1) - 1
                    return fault
        return None

    def _record(self, status: int) -> None:
        told = "Authorization" in self.headers
        one = {"host": self.host, "method": self.command, "path": self.path, "status": status, "authorized": told}
        self.hub.requests.append(one | {"authorization": self.headers.get("Authorization", "")})

    def _answer(self):
        if self.host == "hub" and (token := self.headers.get("Authorization", "").removeprefix("Bearer ").strip()):
            if token not in self.hub.users:
                raise Answer(401, "Invalid credentials in Authorization header")
            self.user, self.role = self.hub.users[token]
        method = "GET" if self.command == "HEAD" else self.command
        for host, wanted, pattern, function in ROUTES:
            if (host, wanted) == (self.host, method) and (match := pattern.fullmatch(self.route)):
                return function(self.hub, self, **{k: v and unquote(v) for k, v in match.groupdict().items()})
        raise Answer(404, f"no {self.command} {self.route} here")


class _Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128


def _server(hub: LoopbackHub, host: str) -> _Server:
    return _Server(("127.0.0.1", 0), type("Bound", (Request,), {"hub": hub, "host": host}))

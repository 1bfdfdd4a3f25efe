"""Send the app what strangers may send it, from many of them at once, and see what it answers and what it takes.

    python tests/hostile.py [REQUESTS] [LOADS] [SEED]

The app runs in a process of its own. Each request uploads mutated files and calls an endpoint with them through the
queue, as a page does. It must answer with a result or with an error that says what is wrong. Ends with 1 if a bound of
the table is broken. Request k of a seed is the same in every run.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from fuzz_checkpoint import VALUES, mutate_value
from mutants import Files, canvases, packed, photographs, pixels, saved, zips

import singan
from singan.files import CONFIG_FILE, WEIGHTS_FILE

ROOT = Path(__file__).parent.parent
VISITORS, LEAVING, SIZES = 100, 20, 200
SLOW = 5.0  # seconds
SLACK = 0.05  # seconds that a message may be late
EXCEPTION = re.compile(r"^(None|\w*(Error|Exception)\b.*|.*Traceback.*|)$", re.DOTALL)
SMALL: dict[str, dict[int, Any]] = {  # inputs of calls that would take long
    "sample": {2: 1, 7: 3, 8: False},
    "animate": {3: 2},
    "variation_map": {2: 2},
    "super_resolve": {3: 1},
    "train": {3: 256, 5: 1},
    "fill": {2: 1},
    "extend": {2: 20, 6: 1},
}
PHOTOGRAPHS = {
    "draft": 1, "take_upload": 2, "take_upload_1": 2, "add": 4, "own": 1, "denoise": 2, "super_resolve": 2,
    "train": 2,
}  # fmt: skip
CANVASES = {"harmonize": 2, "edit": 2, "paint_to_image": 2, "change": 0, "fill": 1, "extend": 1}
PLAIN = (
    "sample",
    "animate",
    "variation_map",
    "denoise",
    "super_resolve",
    "edit",
    "add",
    "fit",
    "tell",
    "load_files",
    "resume",
)


@dataclass
class Answer:
    """What became of a call: `kind` is result, ours, full, internal, slow or left; times on one clock."""

    kind: str
    text: str = ""
    data: list[Any] = field(default_factory=list)
    began: float = 0.0
    ended: float = 0.0
    computed: float = 0.0  # seconds of it in which something sound was computed


class Server:
    """The app in a process of its own, and what a visitor's page sends it."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url, self.log = f"http://127.0.0.1:{port}/gradio_api/", folder / "log"
        environment = {
            name: text for name, text in os.environ.items() if not name.startswith(("SINGAN_", "SPACE", "HF_"))
        }
        environment |= {"GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1", "OMP_NUM_THREADS": "1"}
        environment |= {
            "TMPDIR": str(folder),
            "GRADIO_TEMP_DIR": str(folder / "app"),
            "HF_ENDPOINT": "http://127.0.0.1:9",
        }
        environment |= {"SINGAN_MAX_SECONDS": "1"}  # of training, so that a picture that is taken does not take long
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        self.client = httpx.AsyncClient(timeout=300, limits=httpx.Limits(max_connections=None))
        self.inputs: dict[str, tuple[int, list[Any]]] = {}  # of each call: its number, and what it is sent at first
        self.canvas = 0  # the number of one

    async def start(self) -> None:
        while True:
            try:
                config = (await self.client.get(self.url.replace("gradio_api/", "config"))).json()
                break
            except httpx.TransportError:
                if self.process.poll() is not None:
                    raise SystemExit(self.log.read_text()) from None
                await asyncio.sleep(0.1)
        values = {one["id"]: one["props"].get("value") for one in config["components"]}
        self.canvas = next(one["id"] for one in config["components"] if one["type"] == "imageeditor")
        for call in config["dependencies"]:
            filled = [values[number] for number in call["inputs"]]
            for place, value in SMALL.get(call["api_name"], {}).items():
                filled[place] = value
            self.inputs[call["api_name"]] = (call["id"], filled)

    def megabytes(self, kind: str = "VmRSS") -> float:
        """Resident memory of the server, or the most it has had since `forget_peak` (VmHWM)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.findall(rf"{kind}:\s*(\d+)", status)[0]) / 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def tracebacks(self) -> int:
        return self.log.read_bytes().count(b"Traceback (most recent call last)")

    async def upload(self, files: Files) -> list[str]:
        """Put files on the server; gives their paths there."""
        answer = await self.client.post(f"{self.url}upload", files=[("files", one) for one in files])
        answer.raise_for_status()
        return answer.json()

    async def sent(self, files: Files) -> list[dict[str, Any]]:
        """Upload files; gives what a page then sends for them."""
        paths = await self.upload(files)
        return [
            {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
            for path, (name, _) in zip(paths, files, strict=True)
        ]

    async def ask(self, call: str, changes: dict[int, Any], session: str = "", leave: float | None = None) -> Answer:
        """Make a call through the queue, with some inputs changed; leave after so many seconds, if told to."""
        number, filled = self.inputs[call]
        session, data = session or uuid4().hex, [changes.get(k, value) for k, value in enumerate(filled)]
        body = json.dumps({"data": data, "fn_index": number, "session_hash": session, "event_data": None})
        asked = began = time.monotonic()
        joined = await self.client.post(
            f"{self.url}queue/join", content=body, headers={"content-type": "application/json"}
        )
        if joined.status_code != 200:
            kind = {503: "full"}.get(joined.status_code, "ours" if joined.status_code < 500 else "internal")
            return Answer(kind, joined.text[:300], [], began, time.monotonic())
        async with self.client.stream("GET", f"{self.url}queue/data", params={"session_hash": session}) as stream:
            lines = stream.aiter_lines()
            while True:
                try:
                    left = None if leave is None else max(0.0, asked + leave - time.monotonic())
                    line = await asyncio.wait_for(anext(lines), left)
                except (asyncio.TimeoutError, TimeoutError):
                    return Answer("left", "", [], began, time.monotonic())
                except StopAsyncIteration:
                    return Answer("internal", "the stream ended", [], began, time.monotonic())
                message = json.loads(line[6:]) if line.startswith("data: ") else {}
                now = time.monotonic()
                if message.get("msg") == "process_starts":
                    began = now
                elif message.get("msg") == "unexpected_error":
                    return Answer("internal", str(message.get("message")), [], began, now)
                elif message.get("msg") == "process_completed":
                    output = message["output"]
                    if message["success"]:
                        return Answer("result", "", output.get("data") or [], began, now)
                    text = str(output.get("error"))
                    return Answer("internal" if EXCEPTION.match(text) else "ours", text, [], began, now)


@dataclass
class Part:
    """One line of the table."""

    name: str
    answers: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    slow: int = 0
    memory: float = 0.0  # at the end, over idle
    peak: float = 0.0
    most: float = 0.0  # that peak may be


# --- requests


async def request(server: Server, model: Files, home: str, folder: Path, rng: random.Random) -> tuple[str, Answer]:
    """One mutated request; gives what it was, and what became of it. `home`: a session with a tiny model in it."""
    group = rng.choice(
        ["zip"] * 6 + ["photograph"] * 7 + ["canvas"] * 4 + ["values"] * 2 + ["mask", "blob", "body", "join"]
    )
    tiny = {1: "tiny"}
    if group == "zip":
        kind, files = zips(model, folder, rng)
        return f"zip: {kind}", await server.ask("load_files", {1: await server.sent(files)})
    if group == "photograph":
        kind, files = photographs(rng)
        call = rng.choice([*PHOTOGRAPHS])
        changes = {PHOTOGRAPHS[call]: (await server.sent(files))[0]}
        if call in ("draft", "super_resolve", "train", "own"):
            answer = await server.ask(call, changes)
            if answer.kind == "result" and call in ("super_resolve", "train"):  # it has learned the photograph
                answer.computed = answer.ended - answer.began
            return f"photograph: {kind}, {call}", answer
        return f"photograph: {kind}, {call}", await server.ask(call, changes | tiny, home)
    call = rng.choice([*CANVASES])
    changes = tiny if CANVASES[call] else {}
    if group == "canvas":
        kind, value = await canvases(server.upload, rng)
        answer = await server.ask(call, changes | {CANVASES[call]: value}, home)
        if answer.kind == "result" and call in ("fill", "extend"):  # it has drawn from the photograph
            answer.computed = answer.ended - answer.began
        return f"canvas: {kind}, {call}", answer
    if group == "mask":
        kind, files = photographs(rng)
        picture, mask = await server.sent([("a.png", saved(pixels(rng), "PNG")), *files])
        call, canvas = rng.choice(["edit", "harmonize"]), {"background": picture, "layers": [], "composite": None}
        return f"mask: {kind}, {call}", await server.ask(call, tiny | {2: canvas, 3: mask}, home)
    if group == "blob":
        kind, ((_, data),) = photographs(rng)
        data = bytes(19_000_000) if rng.random() < 0.2 else data
        name = uuid4().hex
        form = {
            "type": rng.choice(["background", "layer", "composite", "x"]),
            "index": str(rng.choice(["null", 0, 3, 10**9, -1, "x"])),
        }
        form |= {"id": name, "component_id": str(server.canvas), "session_hash": home, "fn_name": "accept_blobs"}
        answer = await server.client.post(f"{server.url}component_server", data=form, files={"file": ("blob", data)})
        if answer.status_code != 200:
            return f"blob: {kind}", Answer("ours" if answer.status_code < 500 else "internal", answer.text[:300])
        value = {"background": None, "layers": [], "composite": None, "id": name}
        return f"blob: {kind}, {call}", await server.ask(call, changes | {CANVASES[call]: value}, home)
    if group == "body":  # parsed, it takes many times its bytes
        many = rng.choice([b"[],", b"0,", b'"xxxxxxxx",', b"{},"]) * 8_000_000
        content = b'{"fn_index":8,"session_hash":"body","data":[' + many + b"0]}"
        answer = await server.client.post(f"{server.url}queue/join", content=content)
        return "body", Answer("ours" if answer.status_code < 500 else "internal", answer.text[:300])
    if group == "join":
        data = {"data": [None] * 9, "fn_index": rng.choice([0, 8, 14, 10**6, -1]), "session_hash": uuid4().hex}
        data |= {"event_data": None, "trigger_id": 5}
        mutate_value(data, rng)
        answer = await server.client.post(f"{server.url}queue/join", content=json.dumps(data).encode())
        return f"join: {data}"[:200], Answer("ours" if answer.status_code < 500 else "internal", answer.text[:300])
    call = rng.choice(PLAIN)
    place = rng.randrange(1, len(server.inputs[call][1]))
    value = rng.choice([one for one in VALUES if one != "\ud800"])
    return f"values: {call}, {place}, {str(value)[:20]}", await server.ask(call, tiny | {place: value}, home)


async def load(server: Server, models: list[Files], folder: Path, rng: random.Random) -> tuple[str, Answer]:
    """One visitor, who loads a mutated model and draws from it if it is taken."""
    kind, files = "large", [("model.zip", packed(models[-1]))]
    if rng.random() < 0.9:
        kind, files = zips(rng.choice(models[:-1]), folder, rng)
    session = uuid4().hex
    answer = await server.ask("load_files", {1: await server.sent(files)}, session)
    if answer.kind == "result" and rng.random() < 0.2:
        began = time.monotonic()
        drawn = await server.ask("sample", {1: answer.data[1], 3: 60, 4: 80}, session)
        answer.computed = drawn.computed = time.monotonic() - began
        answer = drawn if drawn.kind == "internal" else answer
    return f"load: {kind}", answer


async def send(
    server: Server, part: Part, runs: int, idle: float, one: Callable[[int], Awaitable[tuple[str, Answer]]]
) -> Part:
    """Send so many requests, and count what becomes of them."""
    server.forget_peak()
    for k in range(runs):
        seen, began = server.tracebacks(), time.monotonic()
        try:
            what, answer = await one(k)
        except httpx.HTTPStatusError as error:  # of an upload
            what, answer = "upload", Answer("ours" if error.response.status_code < 500 else "internal", str(error))
        except httpx.TransportError as error:
            what, answer = "a request", Answer("ours" if server.process.poll() is None else "internal", repr(error))
        if server.process.poll() is not None:
            raise SystemExit(f"The app has ended: {server.log.read_text()[-3000:]}")
        seconds = time.monotonic() - began - answer.computed
        if server.tracebacks() > seen:
            answer.kind = "internal"
            answer.text += f" {server.log.read_text(errors='replace')[-600:]}"
        part.answers[answer.kind] += 1
        part.slowest, part.slow = max(part.slowest, seconds), part.slow + (seconds > SLOW)
        grown = server.megabytes("VmHWM") - idle - part.peak
        part.peak += max(0.0, grown)
        if answer.kind == "internal" or seconds > SLOW or grown > part.most / 5:
            print(
                f"{part.name} {k} ({what}): {answer.kind}, {seconds:.1f} s, {grown:+.0f} MB: {answer.text[-900:]}",
                flush=True,
            )
    part.memory = server.megabytes() - idle
    return part


# --- many visitors


async def fetch(server: Server, answer: Answer) -> bytes:
    """The first picture of an answer of `sample`."""
    path = answer.data[0][0]["image"]["path"]
    return (await server.client.get(f"{server.url}file={path}")).content


async def crowd(server: Server, rng: random.Random, right: dict[int, bytes]) -> tuple[Counter[str], list[Answer]]:
    """Visitors who ask for a sample in the same moment, of whom some go away meanwhile."""

    async def visit(k: int) -> tuple[str, Answer]:
        leave = rng.uniform(0.2, 10.0) if k < LEAVING else None
        await asyncio.sleep(0.0 if leave else 0.3)  # so that who leaves has a place in the queue
        seed = k % len(right)
        answer = await server.ask("sample", {1: "skyline", 2: 1, 7: seed, 8: False}, leave=leave)
        kind = answer.kind
        if kind == "result":
            kind = "right" if await fetch(server, answer) == right[seed] and answer.data[1] == seed else "wrong"
        return f"{kind} of those who leave" if leave else kind, answer

    found = await asyncio.gather(*(visit(k) for k in range(VISITORS)))
    return Counter(kind for kind, _ in found), [answer for _, answer in found]


def at_once(answers: list[Answer]) -> int:
    """How many of these calls were computed in the same moment, at most."""
    ran = [(one.began, one.ended - SLACK) for one in answers if one.kind == "result" and one.ended - one.began > SLACK]
    return max((sum(began <= moment < ended for began, ended in ran) for moment, _ in ran), default=0)


async def lanes(server: Server) -> tuple[int, int, int]:
    """How many calls were computed at once: in each lane, and in both."""
    large = pixels(random.Random(0), (1800, 1350))  # a draft of a small one takes less than SLACK
    photo = (await server.sent([("photo.png", saved(large, "PNG"))]))[0]
    drawn = [server.ask("sample", {1: "skyline", 2: 1}) for _ in range(15)]
    drafts = [server.ask("draft", {1: photo}) for _ in range(15)]
    found = await asyncio.gather(*drawn, *drafts)
    return at_once(found[:15]), at_once(found[15:]), at_once(found)


async def sizes(server: Server, rng: random.Random) -> Part:
    """Samples of many sizes: what they take over one of the largest size."""
    part = Part("sizes")
    highest, widest = 800, 1200
    server.forget_peak()
    session = uuid4().hex
    await server.ask("sample", {1: "skyline", 2: 1, 3: highest, 4: widest}, session)
    memory, peak = server.megabytes(), server.megabytes("VmHWM")
    for k in range(SIZES):
        session = uuid4().hex if k % 5 == 0 else session
        height, width = rng.randrange(40, highest), rng.randrange(40, widest)
        part.answers[(await server.ask("sample", {1: "skyline", 2: 1, 3: height, 4: width}, session)).kind] += 1
    part.memory, part.peak = server.megabytes() - memory, server.megabytes("VmHWM") - peak
    return part


# --- the table


def made(folder: Path) -> list[Files]:
    """The files of two tiny models, and of one as large as the app takes."""
    small: dict[str, Any] = {"steps": 2, "width": 8, "critic_width": 8, "max_size": 30}
    image = pixels(random.Random(0))
    fast = singan.TrainConfig(**small, crop_size=24, pool_size=4, min_size=16, voting_rounds=1)
    paper = singan.TrainConfig.preset("paper", **small, min_size=16)
    large = singan.TrainConfig.preset("draft", photo_size=2200)
    models = [singan.train(image, fast), singan.train(image, paper), singan.draft(image.resize((2200, 2200)), large)]
    found = []
    for k, model in enumerate(models):
        saved_at = Path(model.save_pretrained(folder / str(k)))
        found.append([(name, (saved_at / name).read_bytes()) for name in (CONFIG_FILE, WEIGHTS_FILE)])
    return found


def table(parts: list[Part]) -> list[str]:
    """Print the lines of both parts; gives what is broken."""
    print("| | asked | results | refused | internal errors | slowest (s) | over 5 s | MB over idle | at most |")
    print("|---|---|---|---|---|---|---|---|---|")
    broken = []
    for part in parts:
        answers, wrong = part.answers, part.answers["internal"] + part.answers["full"]
        print(
            f"| {part.name} | {answers.total()} | {answers['result']} | {answers['ours']} | {wrong} "
            f"| {part.slowest:.1f} | {part.slow} | {part.memory:.0f} | {part.peak:.0f} |",
            flush=True,
        )
        broken += [f"{part.name}: internal errors"] if wrong else []
        broken += [f"{part.name}: slow answers"] if part.slow else []
        broken += [f"{part.name}: over {part.most:g} MB"] if part.peak > part.most else []
    return broken


async def visitors(server: Server, seed: int) -> list[str]:
    """Two crowds, samples of many sizes, and what is computed at once; gives what is broken."""
    broken, answers, memory = [], list[Answer](), list[float]()
    right = {}
    for k in range(5):
        right[k] = await fetch(server, await server.ask("sample", {1: "skyline", 2: 1, 7: k, 8: False}))
    print("| visitors | right | queue full | wrong | went away | MB ten seconds later |\n|---|---|---|---|---|---|")
    for turn in range(2):
        counts, seen = await crowd(server, random.Random(f"crowd {seed} {turn}"), right)
        answers += seen
        await asyncio.sleep(10)
        memory.append(server.megabytes())
        wrong = VISITORS - LEAVING - counts["right"] - counts["full"]
        gone = counts["left of those who leave"]
        print(
            f"| {VISITORS} | {counts['right']} | {counts['full']} | {wrong} | {gone} | {memory[-1]:.0f} |", flush=True
        )
        broken += ["visitors: wrong answers"] if wrong else []
    broken += ["visitors: memory"] if memory[1] > 1.1 * memory[0] else []  # less is no fault
    part = await sizes(server, random.Random(f"sizes {seed}"))
    over_one = f"{part.memory:+.0f} MB over one, at most {part.peak:+.0f} MB"
    print(f"{SIZES} sizes: {dict(part.answers)}, {over_one}", flush=True)
    broken += ["sizes: memory"] if part.peak > 150 else []
    broken += ["sizes: answers"] if part.answers["result"] < SIZES else []
    compute, quick, both = await lanes(server)
    crowded = at_once(answers)
    print(f"computed at once: {crowded} for the visitors, {compute} in compute, {quick} in quick, {both} in both lanes")
    return broken + (["lanes: several calls at once"] if (crowded, compute, quick) != (1, 1, 1) else [])


async def main() -> int:
    defaults = ("2000", "600", "0")
    requests, loads, seed = (int(text) for text in [*sys.argv[1:], *defaults[len(sys.argv) - 1 :]])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        models = made(folder)
        (folder / "mutant").mkdir()
        server = Server(folder)
        try:
            await server.start()
            home = uuid4().hex
            taken = await server.ask("load_files", {1: await server.sent([("tiny.zip", packed(models[0]))])}, home)
            assert taken.data[1] == "tiny", taken
            assert (await server.ask("sample", {})).kind == "result"  # as a page does when it is opened
            idle = server.megabytes()
            print(f"idle, after a page was opened: {idle:.0f} MB", flush=True)

            def one(k: int) -> Awaitable[tuple[str, Answer]]:
                return request(server, models[k % 2], home, folder / "mutant", random.Random(f"request {seed} {k}"))

            def another(k: int) -> Awaitable[tuple[str, Answer]]:
                return load(server, models, folder / "mutant", random.Random(f"load {seed} {k}"))

            parts = [await send(server, Part("requests", most=500.0), requests, idle, one)]
            parts.append(await send(server, Part("loads", most=1000.0), loads, idle, another))
            broken = table(parts) + await visitors(server, seed)
        finally:
            server.process.terminate()
            server.process.wait()
            await server.client.aclose()
    print("\n".join(f"broken: {what}" for what in broken) or "all within bounds")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

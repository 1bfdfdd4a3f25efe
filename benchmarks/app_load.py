"""What the app bears: its first samples in a browser, twenty visitors, at once and beside a training, and memory.

python benchmarks/app_load.py
"""

import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from gradio_client import Client, handle_file
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
VISITORS, RUNS, MEASURED, MINUTE = 20, 200, (20, 110, 200), 60.0
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def start() -> tuple[subprocess.Popen, str]:
    """The app in a process of its own on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "127.0.0.1"}
    return subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment), f"http://127.0.0.1:{port}"


def wait_for(url: str) -> None:
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)


def megabytes(server: subprocess.Popen) -> float:
    """Resident memory of the server."""
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    return int(re.findall(r"VmRSS:\s*(\d+)", status)[0]) / 1024


def cold_start(started: float, url: str) -> None:
    """Seconds from the start of the process, and from the page, to samples that can be seen."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for visit in ("cold", "warm", "warm"):
            wait_for(url)
            answered = time.monotonic()
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(url)
            page.locator("#pyramids img").first.wait_for()
            appeared = time.monotonic()
            seen = []
            for picture in (0, 5):
                page.locator("#samples img").nth(picture).wait_for()
                seen.append(time.monotonic())
            since = f"process to first sample {seen[0] - started:.2f} s, " if visit == "cold" else ""
            print(
                f"{visit}: {since}request to page {appeared - answered:.2f} s, page to first sample "
                f"{seen[0] - appeared:.2f} s, to the sixth {seen[1] - appeared:.2f} s",
                flush=True,
            )
            page.close()
        browser.close()


def visitors(url: str) -> None:
    """Every visitor asks for samples in the same moment."""
    clients = [Client(url, verbose=False) for _ in range(VISITORS)]
    gate, waited = threading.Barrier(VISITORS), list[float]()

    def visit(number: int) -> None:
        gate.wait()
        began = time.monotonic()
        pictures, seed = clients[number].predict(
            pyramid="skyline", number=4, seed=100 * number, new_seed=False, api_name="/sample"
        )
        if len(pictures) == 4 and seed == 100 * number:
            waited.append(time.monotonic() - began)

    threads = [threading.Thread(target=visit, args=[number]) for number in range(VISITORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("| visitors at once | answered | mean wait (s) | longest wait (s) |\n|---|---|---|---|")
    print(f"| {VISITORS} | {len(waited)} | {statistics.mean(waited):.1f} | {max(waited):.1f} |", flush=True)


def beside_training(url: str) -> None:
    """One visitor trains; the others come within a minute, and each asks for a sample, a draft, or an edit."""
    photo = handle_file(ROOT / "examples" / "train" / "periwinkle.webp")
    rough, mask = (ROOT / "examples" / "edit" / name for name in ("skyline.webp", "skyline.mask.png"))
    edited = {"background": handle_file(rough), "layers": [], "composite": None}
    asked = [
        {"api_name": "/sample", "pyramid": "skyline", "number": 1, "new_seed": False},
        {"api_name": "/draft", "photo": photo},
        {"api_name": "/edit", "pyramid": "skyline", "edited": edited, "mask": handle_file(mask)},
    ]
    clients = [Client(url, verbose=False) for _ in range(VISITORS)]
    trainer = Client(url, verbose=False)
    training = trainer.submit(photo=photo, steps=100_000, api_name="/train")
    run_id = None
    while run_id is None:
        run_id = next((moment[4] for moment in training.outputs() if moment[4]), None)
        time.sleep(0.1)
    waited: dict[str, list[float]] = {}

    def visit(number: int) -> None:
        time.sleep(MINUTE * number / VISITORS)
        call = asked[number % len(asked)]
        began = time.monotonic()
        clients[number].predict(**call)
        waited.setdefault(call["api_name"], []).append(time.monotonic() - began)

    threads = [threading.Thread(target=visit, args=[number]) for number in range(VISITORS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not training.done()
    trainer.predict(run_id=run_id, api_name="/stop")
    print("| beside a training, in a minute | calls | mean wait (s) | longest wait (s) |\n|---|---|---|---|")
    for name, waits in sorted(waited.items()):
        print(f"| {name} | {len(waits)} | {statistics.mean(waits):.1f} | {max(waits):.1f} |", flush=True)


def memory(url: str, server: subprocess.Popen) -> None:
    """Every fifth run is that of a new visitor."""
    print("| runs | memory of the server (MB) |\n|---|---|")
    client = Client(url, verbose=False)
    for run in range(1, RUNS + 1):
        if run % 5 == 0:
            client = Client(url, verbose=False)
        client.predict(pyramid="skyline", number=1, seed=run, new_seed=False, api_name="/sample")
        if run in MEASURED:
            print(f"| {run} | {megabytes(server):.0f} |", flush=True)


def main() -> None:
    started = time.monotonic()
    server, url = start()
    try:
        cold_start(started, url)
        visitors(url)
        beside_training(url)
        memory(url, server)
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()

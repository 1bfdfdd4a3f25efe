"""How long a visitor waits: for the page with its first samples, and for the first draft of a photograph of 1024 px.

Run `python benchmarks/app_page.py`; it takes two minutes. Needs playwright and Debian's chromium. Each row is the
median of RUNS visits and the longest of them, each in a browser context of its own.
"""

import statistics
import time
from collections.abc import Callable

import httpx
from app_load import FLAGS, ROOT, start, wait_for
from common import machine
from playwright.sync_api import Browser, Page, sync_playwright

RUNS = 5
PHOTO = ROOT / "examples" / "train" / "periwinkle.webp"
LOADED = "([selector, before, count]) => { const seen = [...document.querySelectorAll(selector)];" + (
    " return seen.length >= count && seen.slice(0, count).every(image => image.complete && image.naturalWidth"
    " && !before.includes(image.src)) }"
)


def open_page(browser: Browser, url: str) -> tuple[Page, dict[str, float]]:
    """Seconds from the request to the parts of the page: each picture decoded. First the samples as plain pictures."""
    page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
    began, seconds = time.monotonic(), {}
    page.goto(url, wait_until="commit")
    seconds["first byte"] = time.monotonic() - began
    for what, selector, count in (
        ("samples seen", "#first-look .samples img", 6),
        ("models", "#pyramids img", 1),
        ("sample", "#samples img", 1),
        ("six", "#samples img", 6),
    ):
        page.wait_for_function(LOADED, arg=[selector, [], count], timeout=120_000)
        seconds[what] = time.monotonic() - began
    return page, seconds


def wait_for_samples(url: str) -> None:
    """Until the server has drawn the first samples, which it does once when it starts."""
    while httpx.get(url).text.partition('<div class="samples">')[2].partition("</div>")[0].count("<img") < 6:
        time.sleep(0.5)


def upload(page: Page) -> dict[str, float]:
    """Seconds from the choice of a file to its draft: chosen, and the first and all samples of it seen."""
    before = page.locator("#samples img").evaluate_all("images => images.map(image => image.src)")
    page.wait_for_timeout(1500)  # until what the page does after it appeared is done
    began, seconds = time.monotonic(), {}
    page.locator("#your-photo input[type=file]").set_input_files(PHOTO)
    page.locator("#said", has_text="is a draft").wait_for(timeout=120_000)
    seconds["chosen"] = time.monotonic() - began
    for what, count in (("draft", 1), ("six drafts", 6)):
        page.wait_for_function(LOADED, arg=["#samples img", before, count], timeout=120_000)
        seconds[what] = time.monotonic() - began
    return seconds


def row(what: str, visits: list[dict[str, float]]) -> None:
    """The median and the longest time to each part."""
    parts = [
        f"{name} {statistics.median(times):.2f} ({max(times):.2f})"
        for name, times in ((name, [visit[name] for visit in visits]) for name in visits[0])
    ]
    print(f"{what}, seconds: {', '.join(parts)}", flush=True)


def measure(url: str, visit: Callable[[Browser, str], None]) -> None:
    """A visit in each of RUNS new browsers' contexts, after one that warms the server up."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        for _ in range(RUNS + 1):
            visit(browser, url)
        browser.close()


def main() -> None:
    print(machine())
    server, url = start()
    pages, uploads = [], []

    def visit(browser: Browser, url: str) -> None:
        page, seconds = open_page(browser, url)
        pages.append(seconds)
        uploads.append(upload(page))
        page.context.close()

    try:
        wait_for(url)
        wait_for_samples(url)
        measure(url, visit)
    finally:
        server.terminate()
        server.wait()
    row("page", pages[1:])
    row("photograph", uploads[1:])


if __name__ == "__main__":
    main()

"""The page of a study in a real browser, from the file: the whole of it, by mouse, by touch and by keyboard."""

import contextlib
import itertools
import json
import re
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from test_browser import LUMINANCE, browser, overflow  # noqa: F401  # a fixture

from singan.cli import main
from singan.study.design import SHOWN, Settings
from singan.study.page import page as page_of
from singan.study.sources import Source, by_photo
from singan.study.trials import draw_items

SECONDS, ITEMS = 0.2, 5
CREDIT = "</script><script>alert({0})</script><b>by {0}</b>"  # the policy would say so in the console
# Keeps when each picture came and went: what the page says of that must be true.
WATCH = """() => { window.flashes = []; let start = 0;
    new MutationObserver(() => {
        const on = document.querySelector('.frame').classList.contains('on');
        if (on && !start) start = performance.now();
        if (!on && start) { flashes.push(performance.now() - start); start = 0; }
    }).observe(document.querySelector('.frame'), {attributes: true}); }"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Real pictures are noise over green, generated ones over red: who knows that is never wrong."""

    def noisy(seed, colour):
        noise = np.random.default_rng(seed).integers(0, 160, (12, 16, 1)) + np.array(colour)
        return Image.fromarray(noise.astype(np.uint8)).resize((320, 240), Image.Resampling.BICUBIC)

    sources = [
        Source(
            noisy(k, (0, 90, 0)), lambda seed: noisy(seed, (90, 0, 0)), "fast", f"<b>{k}</b>", 0, 0.5, CREDIT.format(k)
        )
        for k in range(ITEMS)
    ]
    settings = Settings(seconds=SECONDS)
    html, identity = page_of(draw_items(by_photo(sources), settings), settings)
    path = tmp_path_factory.mktemp("study") / "page.html"
    path.write_bytes(html.encode())
    return path, identity


@pytest.fixture
def open_study(browser, study):
    """A function that opens the page; what goes wrong in it, or leaves it, fails the test."""
    wrong = []
    with contextlib.ExitStack() as contexts:

        def open_study(**options):
            context = browser.new_context(**options)
            contexts.callback(context.close)
            page = context.new_page()
            page.on("console", lambda message: wrong.append(message.text))
            page.on("pageerror", lambda error: wrong.append(str(error)))
            url = study[0].as_uri()
            page.on(
                "request", lambda request: request.url.startswith((url, "data:", "blob:")) or wrong.append(request.url)
            )
            page.goto(url)
            page.evaluate(WATCH)
            return page

        yield open_study
    assert wrong == []


def is_real(page, place):
    """Whether what is in that place is a real picture, by its colour."""
    return (
        page.locator(".frame img")
        .nth(place)
        .evaluate(
            """image => { const canvas = new OffscreenCanvas(1, 1), context = canvas.getContext('2d');
            context.drawImage(image, 0, 0, 1, 1);
            const [red, green] = context.getImageData(0, 0, 1, 1).data; return green > red; }"""
        )
    )


def play(page, answer, start, go_on):
    """Answer every trial: `answer(choice)` with what is right where the count of trials is even, else with the other.
    Returns the kinds in their order and whether each answer was right."""
    given = []
    while not page.locator("#end").is_visible():
        if page.locator("#intro").is_visible():
            assert overflow(page) == 0
            start()
        page.wait_for_selector("#trial.asked")
        assert page.locator(".frame img:visible").count() == 0  # it is gone when one is asked
        assert (
            overflow(page) == 0
            and page.locator("#choices button").last.bounding_box()["y"] < page.viewport_size["height"] - 44
        )
        paired, first_real = page.locator("#trial.two").count() == 1, is_real(page, 0)
        right = (1 if first_real else 0) if paired else (0 if first_real else 1)
        practice = "Practice" in page.locator("#progress").inner_text()
        correct = len(given) % 2 == 0
        answer(right if correct else 1 - right)
        if practice:
            expect(page.locator("#question")).to_have_text("That is right." if correct else "No, it was not.")
            expect(page.locator("figcaption").first).to_have_text("Real" if first_real else "Generated")
            go_on()
        else:
            given.append(("paired" if paired else "unpaired", correct))
        page.wait_for_selector("#trial:not(.asked), #intro:not([hidden]), #end:not([hidden])", state="attached")
    return given


def saved(page, path):
    with page.expect_download() as download:
        page.get_by_role("button", name="Save answers").click()
    answers = json.loads(page.locator("#answers").input_value())
    assert download.value.suggested_filename == f"answers-{answers['participant']}.json"
    download.value.save_as(path)
    assert json.loads(path.read_text()) == answers
    return answers


def check(answers, given, flashes):
    """That what was saved is what happened."""
    kinds = [kind for kind, _ in given]
    assert len(given) == ITEMS - 1 and kinds.count("paired") == 2
    assert kinds == sorted(kinds, reverse=kinds[0] == "unpaired")  # one after the other
    assert [(one["kind"], one["shown"] == one["answer"]) for one in answers["answers"]] == given
    assert len({one["item"] for one in answers["answers"]}) == len(given)
    for one in answers["answers"]:
        assert 1000 * SECONDS - 2 <= one["shown_ms"] <= 1000 * SECONDS + 150 and one["reaction_ms"] > 0
        assert any(abs(flash - one["shown_ms"]) < 20 for flash in flashes)


def test_study_is_played_by_keyboard_saved_and_scored(open_study, study, tmp_path, capsys):
    page = open_study(viewport={"width": 1280, "height": 800})
    keys = itertools.cycle([("1", "2"), ("ArrowLeft", "ArrowRight"), ("ArrowUp", "ArrowDown")])
    press = page.keyboard.press
    given = play(page, lambda choice: press(next(keys)[choice]), lambda: press("Enter"), lambda: press("Space"))
    expect(page.get_by_role("button", name="Save answers")).to_be_focused()
    answers = saved(page, tmp_path / "answers.json")
    check(answers, given, page.evaluate("flashes"))
    assert answers["study"] == study[1] and "You were right 2 times out of 4" in page.locator("#score").inner_text()
    assert CREDIT.format(3) in page.locator("#credits").inner_text()
    assert main(["study", "--score", str(tmp_path / "answers.json"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["study"] == study[1] and sum(row["wrong"] for row in result["confusion"]) == 2
    assert {row["kind"]: row["answers"] for row in result["confusion"]} == Counter(kind for kind, _ in given)


def test_study_is_played_on_a_dark_phone(open_study, tmp_path):
    page = open_study(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, color_scheme="dark")
    buttons = page.locator("#choices button")
    given = play(
        page,
        lambda choice: buttons.nth(choice).tap(),
        lambda: page.get_by_role("button", name="Start").tap(),
        lambda: page.get_by_role("button", name="Next").tap(),
    )
    assert overflow(page) == 0
    check(saved(page, tmp_path / "answers.json"), given, page.evaluate("flashes"))


def test_trials_are_dealt_evenly_and_to_everybody_differently(open_study):
    page = open_study()
    deals = page.evaluate("[...Array(200)].map(() => deal(study.items.filter(item => !item.practice)))")
    assert len({json.dumps(ways) for ways in deals}) > 80
    for ways in deals:
        assert sorted(way["item"] for way in ways) == list(range(1, ITEMS))
        each = [(way["kind"], way["shown"]) for way in ways]
        assert all(each.count((kind, shown)) == 1 for kind in SHOWN for shown in SHOWN[kind])
    shown = Counter((way["item"], way["kind"], *way["shown"]) for ways in deals for way in ways)
    assert len(shown) == 4 * (ITEMS - 1) and all(15 <= count <= 85 for count in shown.values())  # 50, deviation 6


def test_next_answer_cannot_be_guessed_from_those_before(open_study):
    page = open_study()
    page.evaluate("study.items = [...Array(20).keys()].map(photo => ({...study.items[1], photo}))")
    unpaired = "blocks().find(block => block.kind === 'unpaired').counted"
    shown = page.evaluate(f"[...Array(200)].map(() => {unpaired}.map(way => way.shown[0]))")
    assert all(one.count("real") == one.count("generated") == 5 for one in shown)
    repeats = sum(a == b for one in shown for a, b in itertools.pairwise(one)) / (9 * len(shown))
    assert abs(repeats - 4 / 9) < 0.06  # five times its deviation; as they were dealt it is a quarter


def test_keys_pressed_while_a_picture_is_shown_answer_nothing(open_study):
    page = open_study()
    page.evaluate("""new MutationObserver(changes => {
            if (changes[0].target.classList.contains('on')) dispatchEvent(new KeyboardEvent('keydown', {key: '1'}));
        }).observe(document.querySelector('.frame'), {attributes: true})""")
    page.keyboard.press("Enter")
    page.wait_for_selector("#trial.asked")
    expect(page.locator("#choices button").first).to_be_enabled()
    expect(page.locator("#progress")).to_have_text(re.compile("^(Practice 1|1) of"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_colour_schemes(open_study, scheme):
    page = open_study(color_scheme=scheme)
    for element in ("h1", "#private", "#start"):
        text, ground = page.locator(element).first.evaluate(LUMINANCE)
        low, high = sorted([text, ground])
        assert (high + 0.05) / (low + 0.05) >= 4.5, element

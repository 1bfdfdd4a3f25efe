"""The app in a real browser: Debian's chromium, driven by playwright; without its windows, which take two fifths of the
processor's time, where that is installed.

Every page must stay free of errors in its console and talk to nobody but the app.
"""

import contextlib
import os
import re
import shutil
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from singan import PRESETS, SinGAN
from singan.ui import learning

CHROMIUM = Path("/usr/bin/chromium")
SHELL = Path("/usr/bin/chromium-headless-shell")
# No sandbox, because root may not use it; the rest keeps the browser from calling home.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-gpu-compositing", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
# What gradio 6.31 says now and then on a busy machine, where a canvas that was just replaced asks for one more frame.
# And where one is hidden while it is made.
HARMLESS = (
    "Cannot read properties of null (reading 'render')",
    "Cannot read properties of null (reading 'screen')",
    "Failed to execute 'observe' on 'IntersectionObserver'",
)
expect.set_options(timeout=20_000)  # ms; the five seconds that it has are short on a busy machine


@pytest.fixture(scope="module")
def browser():
    found = next((path for path in (SHELL, CHROMIUM) if path.exists()), None)
    if found is None:
        message = f"{CHROMIUM} is not installed: apt-get install chromium-headless-shell, or chromium"
        if os.environ.get("SINGAN_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, app_url):
    """A function that opens the app, in a new context if none is given; what goes wrong in the page fails the test."""
    wrong = []
    with contextlib.ExitStack() as contexts:

        def open_page(context=None, path="", samples=6, **options):
            if context is None:
                # A canvas is drawn by the processor here, sixty times a second: at half as many pixels either way.
                context = browser.new_context(**{"device_scale_factor": 0.5, **options})
                contexts.callback(context.close)
                context.set_default_timeout(30_000)
            page = context.new_page()
            page.on("console", lambda message: message.type == "error" and wrong.append(_said(message)))
            page.on("pageerror", lambda error: wrong.append(error.stack or str(error)))
            page.on("request", lambda request: _is_ours(request.url, app_url) or wrong.append(request.url))
            page.goto(app_url + path)
            expect(page.locator("#samples img")).to_have_count(samples, timeout=30_000)
            return page

        yield open_page
    assert [text for text in wrong if not any(known in text for known in HARMLESS)] == []


def _said(message):
    return f"{message.text} ({message.location['url']})"


def _is_ours(url, app_url):
    return url.startswith((app_url, "data:", "blob:"))


def go_to(page, tab):
    """Open a tab, also one that a narrow screen keeps in a menu."""
    button = page.get_by_role("tab", name=tab, exact=True)
    if not button.is_visible():
        page.locator(".overflow-menu > button").click()
        button = page.locator(".overflow-dropdown button", has_text=tab)
    button.click()


@pytest.fixture(autouse=True)
def two_generators(monkeypatch):
    """What is trained here gets two small generators, however many the preset has, and draws little to learn from."""
    small = replace(PRESETS["fast"], generators=2, width=8, critic_width=8, pool_size=4, candidates=2)
    monkeypatch.setitem(PRESETS, "fast", small)


def start_training(page, photo, steps):
    go_to(page, "Train")
    page.locator("#photo input[type=file]").set_input_files(photo)
    expect(page.get_by_text(re.compile("Press Train to learn .*: 52x40 px."))).to_be_visible()
    page.locator("button:visible", has_text="Advanced").click()
    page.get_by_label("Steps per scale").fill(str(steps))
    page.get_by_role("button", name="Train", exact=True).last.click()


def stroke(page, canvas):
    """Draw a line over the middle of a canvas with the mouse.

    The picture is put on the canvas some time after it is seen, and nothing in the page says when: until then what is
    drawn is lost, and drawn again.
    """
    surface = page.locator(f"#{canvas} canvas").first
    expect(surface).to_be_visible()
    expect(page.locator(f"#{canvas}").get_by_role("button", name="Brush", exact=True)).to_be_visible()
    surface.scroll_into_view_if_needed()
    for _ in range(20):
        box = surface.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x + 30, y)  # where it stands in the end too
        before = _at_rest(page, surface)
        page.mouse.move(x - 30, y)
        page.mouse.down()
        page.mouse.move(x + 30, y, steps=6)
        page.mouse.up()
        if _at_rest(page, surface) != before:
            return
    raise AssertionError(f"nothing is drawn on {canvas}")


def _at_rest(page, surface):
    """What is seen there, once it has not changed for a moment."""
    seen = surface.screenshot()
    for _ in range(50):
        page.wait_for_timeout(150)
        before, seen = seen, surface.screenshot()
        if seen == before:
            break
    return seen


def downloaded(page):
    """What the download button of the slider gives."""
    with page.expect_download() as download:
        page.locator(".pair:visible").get_by_role("button", name=re.compile("ownload")).click()
    return Image.open(download.value.path())


def captions(page, gallery):
    return page.locator(f"#{gallery} .caption-label").all_inner_texts()


def upload_is_first_card(page):
    """Does the upload look like one more picture in the row of models, before all others?"""
    card, first = (page.locator(one).first.bounding_box() for one in ("#your-photo", "#pyramids .thumbnail-item"))
    same = all(abs(card[key] - first[key]) < 2 for key in ("y", "width", "height"))
    return same and 0 < first["x"] - card["x"] - card["width"] < 20


def overflow(page):
    """By how many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_first_look_is_seen_where_the_page_will_be_without_any_script(browser, app_url, open_page):
    whole = "() => [...document.querySelectorAll('#samples img')].every(image => image.complete && image.naturalWidth)"
    for size in ({"width": 1280, "height": 1000}, {"width": 390, "height": 844}):
        page = open_page(viewport=size)
        page.wait_for_function(whole)
        with browser.new_context(viewport=size, java_script_enabled=False) as context:
            plain = context.new_page()
            plain.goto(app_url)
            seen = plain.locator("#first-look .samples img")
            expect(seen).to_have_count(6)
            for k in (0, 5):
                there, here = page.locator("#samples img").nth(k).bounding_box(), seen.nth(k).bounding_box()
                assert {key: (there[key], here[key]) for key in there if abs(there[key] - here[key]) > 50} == {}


def test_nothing_lies_over_the_first_look(browser, app_url, open_page):
    open_page().close()  # the app has drawn the samples
    page = browser.new_page()
    page.add_init_script("""
      window.covers = [];
      setInterval(() => document.querySelectorAll('.loading').forEach(
        one => window.covers.push(getComputedStyle(one).visibility)), 10);
    """)
    page.goto(app_url)
    expect(page.locator("#samples img").first).to_be_visible()
    assert set(page.evaluate("window.covers")) == {"hidden"}  # gradio says that it is loading
    page.close()


def test_page_appears_with_samples_and_draws_others_when_asked(open_page):
    page = open_page()
    assert captions(page, "pyramids") == ["blue", "green-field"]
    assert page.locator("#first-look img").count() in (2, 8)  # models, and samples if they were drawn by then
    expect(page.locator("#first-look")).to_be_hidden()  # it was there until now
    assert upload_is_first_card(page)
    expect(page.get_by_role("button", name="blue", pressed=True)).to_be_visible()  # as screen readers call it
    expect(page.get_by_role("button", name="green-field", pressed=False)).to_be_visible()
    before = captions(page, "samples")
    assert before == [f"seed {k} at {0.5 + 0.05 * k:g}" for k in range(6)]  # the same for everybody
    page.get_by_label("Number of samples").first.fill("2")
    page.get_by_role("button", name="Draw samples").click()
    expect(page.locator("#samples img")).to_have_count(2)
    seed = re.fullmatch(r"seed (\d+) at 0.5", captions(page, "samples")[0])[1]
    assert f"seed {seed} at 0.5" not in before

    page.locator("button:visible", has_text="Advanced").click()
    expect(page.get_by_label("Seed", exact=True)).to_have_value(seed)  # written back

    page.locator("#pyramids img").nth(1).click()  # another pyramid: drawn anew at once
    expect(page.locator("#samples .caption-label").first).not_to_have_text(f"seed {seed} at 0.5")
    expect(page.locator("#samples img")).to_have_count(2)
    page.get_by_label("Height (px)").fill("99999999")
    page.get_by_role("button", name="Draw samples").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("megapixels")
    page.locator("#samples img").first.click(trial=True)  # what is there stays, and nothing lies over it
    page.get_by_label("number input for Variation", exact=True).fill("1")
    expect(page.get_by_label("Rising")).to_be_hidden()  # to nothing
    page.get_by_label("number input for Variation", exact=True).fill("0.4")
    page.get_by_label("Rising").press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.get_by_label("Rising").evaluate("element => getComputedStyle(element).outlineStyle") == "solid"


def test_seed_that_is_kept_gives_the_same_pictures(open_page):
    page = open_page()
    page.locator("button:visible", has_text="Advanced").click()
    page.get_by_label("New seed each time").uncheck()
    page.get_by_label("Seed", exact=True).fill("12")
    page.get_by_role("button", name="Draw samples").click()
    expect(page.locator("#samples .caption-label").first).to_have_text("seed 12 at 0.5")
    first = page.locator("#samples img").first
    address = first.get_attribute("src")  # it holds a hash of the file's content
    assert address.endswith(".png")
    page.locator("#pyramids img").nth(1).click()
    expect(first).not_to_have_attribute("src", address)
    page.locator("#pyramids img").nth(0).click()
    expect(first).to_have_attribute("src", address)


def test_training_to_the_end_gives_a_model_to_download_and_to_sample(open_page, photo_path, tmp_path):
    page = open_page()
    start_training(page, photo_path, steps=3)
    expect(page.get_by_text(re.compile(r"Done after .* 2 scales learned"))).to_be_visible(timeout=60_000)
    assert captions(page, "scales") == ["32x25", "41x32"]
    assert captions(page, "pyramids") == ["tiles", "blue", "green-field"]
    expect(page.locator(".curves svg")).to_have_count(2)
    expect(page.get_by_role("button", name="Train", exact=True).last).to_be_enabled()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_disabled()

    with page.expect_download() as download:
        page.get_by_text("Download model").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extractall(tmp_path)
    assert SinGAN.from_pretrained(tmp_path / "tiles").image_size == (40, 52)

    page.get_by_role("button", name="Sample from it").click()
    expect(page.locator("#samples img").first).to_be_visible()
    expect(page.get_by_label("Height (px)")).to_have_value("40")


def test_stop_keeps_the_finished_scales(open_page, photo_path):
    page = open_page()
    start_training(page, photo_path, steps=80)
    expect(page.locator("#scales .caption-label").first).to_have_text("32x25", timeout=60_000)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text(re.compile(r"Stopped after .* 1 scale learned"))).to_be_visible()
    page.get_by_role("button", name="Sample from it").click()
    expect(page.get_by_label("Height (px)")).to_have_value("40")
    expect(page.locator("#samples img").first).to_be_visible()


def test_stopped_run_is_resumed(open_page, photo_path):
    page = open_page()
    start_training(page, photo_path, steps=80)
    expect(page.locator("#scales .caption-label").first).to_have_text("32x25", timeout=60_000)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text(re.compile(r"Stopped after .* 1 scale learned"))).to_be_visible()
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.get_by_text(re.compile(r"Done after .* 2 scales learned"))).to_be_visible(timeout=60_000)
    assert captions(page, "scales") == ["32x25", "41x32"]
    expect(page.get_by_role("button", name="Resume", exact=True)).to_have_count(0)


def test_browser_that_comes_back_takes_its_finished_model_and_no_other_browser_does(open_page, photo_path):
    page = open_page()
    start_training(page, photo_path, steps=2)
    expect(page.get_by_text(re.compile(r"Done after .* 2 scales learned"))).to_be_visible(timeout=60_000)
    page.close()
    page = open_page(page.context)
    expect(page.locator("#pyramids img")).to_have_count(3)
    assert captions(page, "pyramids") == ["tiles", "blue", "green-field"]
    page.get_by_role("tab", name="Train").click()
    expect(page.get_by_text(re.compile(r"Your last run: Done after .* 2 scales learned"))).to_be_visible()
    expect(page.get_by_text("Download model")).to_be_visible()
    page.locator("#pyramids img").first.click()
    page.get_by_role("tab", name="Sample").click()
    expect(page.locator("#samples img")).to_have_count(6)
    assert captions(open_page(), "pyramids") == ["blue", "green-field"]


def test_browser_that_left_in_mid_run_resumes_it(open_page, photo_path):
    page = open_page()
    start_training(page, photo_path, steps=300)  # longer than it takes to notice that it left
    expect(page.locator("#scales .caption-label").first).to_have_text("32x25", timeout=60_000)
    page.close()
    page = open_page(page.context)
    page.get_by_role("tab", name="Train").click()
    expect(page.get_by_text(re.compile(r"Your last run: .* 1 scale learned"))).to_be_visible()
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.get_by_text(re.compile(r"Done after .* 2 scales learned"))).to_be_visible(timeout=60_000)


def test_example_photo_is_trained_with_one_click(open_page):
    page = open_page()
    go_to(page, "Train")
    page.locator("button:visible", has_text="Advanced").click()
    page.get_by_label("Steps per scale").fill("2")
    page.locator(".examples:visible .thumbnail-item").click()
    expect(page.get_by_text(re.compile(r"Done after .* 2 scales learned"))).to_be_visible(timeout=60_000)
    assert captions(page, "pyramids") == ["meadow", "blue", "green-field"]


def test_downloaded_model_is_uploaded_again_and_sampled(open_page, pretrained, tmp_path):
    whole = shutil.make_archive(str(tmp_path / "holiday"), "zip", pretrained, "blue")
    page = open_page()
    page.locator("button:visible", has_text="Load or share a model").click()
    page.locator("#model-files input[type=file]").set_input_files(whole)
    expect(page.locator("#pyramids img")).to_have_count(3)
    assert captions(page, "pyramids") == ["holiday", "blue", "green-field"]
    expect(page.locator("#samples img")).to_have_count(6)


def test_model_of_the_hub_is_loaded_by_its_id(open_page, hub_server, pretrained):
    hub_server.add("bob/lake", {path.name: path.read_bytes() for path in (pretrained / "blue").iterdir()})
    page = open_page()
    page.locator("button:visible", has_text="Load or share a model").click()
    page.get_by_label("On the Hub").fill("bob/nothing")
    page.get_by_role("button", name="Load from the Hub").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("There is no repository bob/nothing")
    page.get_by_test_id("toast-close").click()
    page.locator("#pyramids img").first.click(trial=True)  # nothing lies over them
    page.get_by_label("On the Hub").fill("bob/lake")
    page.get_by_role("button", name="Load from the Hub").click()
    expect(page.locator("#pyramids img")).to_have_count(3)
    assert captions(page, "pyramids") == ["lake", "blue", "green-field"]


def test_samples_are_drawn_beside_a_training_and_a_second_one_sees_its_place_in_the_queue(open_page, photo_path):
    page, other = open_page(), open_page()
    start_training(page, photo_path, steps=100_000)
    expect(page.get_by_text(re.compile("Scale 1 of 2 .* step"))).to_be_visible()
    before = captions(other, "samples")
    other.get_by_role("button", name="Draw samples").click()
    expect(other.locator("#samples .caption-label").first).not_to_have_text(before[0])
    expect(other.locator("#samples img")).to_have_count(6)
    start_training(other, photo_path, steps=2)
    expect(other.get_by_text(re.compile(r"queue: 1/1"))).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(other.get_by_text(re.compile(r"Done after .* 2 scales learned"))).to_be_visible(timeout=60_000)


def test_closed_page_ends_its_run(open_page, photo_path, monkeypatch):
    ended = []
    real = learning.iter_train

    def watched(*args, **settings):
        try:
            yield from real(*args, **settings)
        finally:
            ended.append(time.monotonic())

    monkeypatch.setattr(learning, "iter_train", watched)
    page = open_page()
    start_training(page, photo_path, steps=100_000)
    expect(page.get_by_text(re.compile("Scale 1 of 2 .* step"))).to_be_visible()
    assert ended == []
    page.close()
    for _ in range(100):
        if ended:
            break
        time.sleep(0.1)
    assert len(ended) == 1


def test_link_opens_the_same_samples_again(open_page, app_url):
    page = open_page()
    before = captions(page, "samples")[0]
    page.locator("#pyramids img").nth(1).click()
    expect(page.locator("#samples .caption-label").first).not_to_have_text(before)
    expect(page.locator("#samples .caption-label")).to_have_count(6)  # of the new model, all of them
    page.get_by_label("Number of samples").first.fill("2")
    page.get_by_label("number input for Variation", exact=True).fill("0.3")
    page.get_by_role("button", name="Draw samples").click()
    expect(page.locator("#samples img")).to_have_count(2)
    seed = captions(page, "samples")[0].split()[1]
    page.get_by_role("button", name="Link to these").click()
    expect(page.locator("#address textarea, #address input")).to_have_value(
        f"{app_url}?model=green-field&seed={seed}&variation=0.3&number=2&flips=True&rising=True"
    )
    addresses = "images => images.map(image => image.src)"
    drawn = page.locator("#samples img").evaluate_all(addresses)
    other = open_page(samples=2, path=page.url.removeprefix(app_url))
    expect(other.locator("#said")).to_contain_text("All tabs work on green-field")
    expect(other.locator("#pyramids .thumbnail-item").nth(1)).to_have_class(re.compile("selected"))
    expect(other.get_by_label("number input for Variation", exact=True)).to_have_value("0.3")
    assert captions(other, "samples") == [f"seed {seed} at 0.3", f"seed {int(seed) + 1} at 0.65"]
    assert other.locator("#samples img").evaluate_all(addresses) == drawn  # which hold a hash of each file


def upload(page, photo):
    page.locator("#your-photo input[type=file]").set_input_files(photo)


def test_uploaded_photo_shows_drafts_of_itself_and_every_tab_works_on_it(open_page, photo, tmp_path):
    photo.resize((208, 160)).save(tmp_path / "pavement.png")
    page = open_page()
    upload(page, tmp_path / "pavement.png")
    expect(page.locator("#said")).to_contain_text("pavement is a draft, made without training.")
    expect(page.get_by_label("Height (px)")).to_have_value("160")
    assert captions(page, "pyramids") == ["pavement", "blue", "green-field"]
    expect(page.locator("#pyramids .thumbnail-item").first).to_have_class(re.compile("selected"))
    natural = "images => images.map(image => image.complete && image.naturalWidth)"
    for _ in range(100):
        if (widths := page.locator("#samples img").evaluate_all(natural)) == [208] * 6:
            break
        page.wait_for_timeout(100)
    assert widths == [208] * 6
    expect(page.locator("#your-photo")).not_to_contain_text("pavement")  # ready for the next one
    expect(page.get_by_role("button", name="Link to these")).to_be_hidden()  # it would hold the photo
    page.locator("#said").get_by_role("button", name="Train").click()
    expect(page.get_by_role("tab", name="Train")).to_have_attribute("aria-selected", "true")

    go_to(page, "Edit")
    expect(page.locator("#edit-canvas canvas").first).to_be_visible()
    stroke(page, "edit-canvas")
    page.get_by_role("button", name="Make it seamless").click()
    expect(page.locator(".run:visible").first).to_contain_text(re.compile(r"Done in \d"))
    image = downloaded(page)
    assert image.size == (208, 160) and image.text["model"] == "pavement"

    go_to(page, "Train")
    expect(page.get_by_text(re.compile("Press Train to learn .pavement.: 208x160 px."))).to_be_visible()
    page.locator("button:visible", has_text="Advanced").click()
    page.get_by_label("Steps per scale").fill("2")
    page.get_by_role("button", name="Train", exact=True).last.click()
    expect(page.get_by_text(re.compile(r"Done after .* 2 scales learned"))).to_be_visible(timeout=60_000)
    assert captions(page, "pyramids") == ["pavement", "blue", "green-field"]  # in place of the draft
    expect(page.locator("#said")).to_contain_text("All tabs work on pavement.")
    page.get_by_role("button", name="Sample from it").click()
    expect(page.get_by_label("Height (px)")).to_be_visible()
    page.locator("button:visible", has_text="Advanced").click()
    expect(page.get_by_label("number input for Start scale", exact=True)).to_be_visible()  # it has generators now


def test_draft_of_an_upload_waits_for_no_drawing_and_ends_it(open_page, photo_path, monkeypatch):
    go_on, whole = threading.Event(), SinGAN.iter_samples

    def slow(*args, **options):
        for image in whole(*args, **options):
            yield image
            assert go_on.wait(20)

    page = open_page()
    monkeypatch.setattr(SinGAN, "iter_samples", slow)
    page.get_by_role("button", name="Draw samples").click()
    expect(page.locator("#samples img")).to_have_count(1)
    upload(page, photo_path)
    expect(page.locator("#said")).to_contain_text("tiles is a draft")
    go_on.set()
    expect(page.locator("#samples img")).to_have_count(6)
    expect(page.locator("#samples img").first).to_have_attribute("src", re.compile("/tiles-"))


def test_own_photo_is_there_again_when_the_page_is_opened_again(open_page, photo_path):
    page = open_page()
    expect(page.get_by_label("Mirrored parts too")).to_be_checked()  # of a model that came with the app
    upload(page, photo_path)
    expect(page.locator("#said")).to_contain_text("tiles is a draft")
    expect(page.get_by_label("Mirrored parts too")).not_to_be_checked()
    expect(page.locator("#samples img")).to_have_count(6)
    page.close()
    page = open_page(page.context)
    expect(page.locator("#said")).to_contain_text("tiles is a draft")
    assert captions(page, "pyramids") == ["tiles", "blue", "green-field"]
    expect(page.locator("#samples img")).to_have_count(6)
    assert captions(open_page(), "pyramids") == ["blue", "green-field"]  # of another browser


def test_sample_goes_on_to_another_tab_with_one_click(open_page):
    page = open_page()
    page.locator("#samples .thumbnail-item").nth(1).click()
    seed = captions(page, "samples")[1].split()[1]
    page.get_by_role("button", name="Edit it").locator("visible=true").click()
    expect(page.locator("#said")).to_contain_text(f"blue-{seed} is a draft")
    expect(page.locator("#edit-canvas canvas").first).to_be_visible()
    assert captions(page, "pyramids")[0] == f"blue-{seed}"
    go_to(page, "Sample")
    expect(page.locator("#samples img").first).to_have_attribute("src", re.compile(f"/blue-{seed}-"))
    page.get_by_role("button", name="Enlarge it").locator("visible=true").click()
    expect(page.locator("#small")).to_contain_text(f"blue-{seed}-")


def test_picture_that_goes_on_is_the_one_that_is_seen_after_others_are_drawn_too(open_page):
    page = open_page()
    page.locator("#samples .thumbnail-item").nth(3).click()
    before = captions(page, "samples")
    page.get_by_role("button", name="Draw samples").click()
    expect(page.locator("#samples .caption-label").first).not_to_have_text(before[0])
    expect(page.locator("#samples .thumbnail-lg")).to_have_count(6)
    seen = page.locator("#samples .thumbnail-small.selected img").get_attribute("src")
    page.get_by_role("button", name="Enlarge it").locator("visible=true").click()
    expect(page.locator("#small")).to_contain_text(Path(seen).stem)


def test_of_two_models_that_are_clicked_at_once_the_second_is_chosen(open_page):
    page = open_page()
    page.evaluate("document.querySelectorAll('#pyramids .thumbnail-item').forEach(one => one.click())")
    expect(page.locator("#said")).to_contain_text("All tabs work on green-field")
    page.evaluate("[1, 0].forEach(k => document.querySelectorAll('#pyramids .thumbnail-item')[k].click())")
    expect(page.locator("#said")).to_contain_text("All tabs work on blue")
    expect(page.locator("#pyramids .thumbnail-item").first).to_have_class(re.compile("selected"))


def test_photo_that_was_chosen_during_a_training_stays_chosen_after_it(open_page, photo_path):
    page = open_page()
    start_training(page, photo_path, steps=40)
    expect(page.get_by_text(re.compile("Scale 1 of 2 .* step"))).to_be_visible()
    page.locator("#pyramids .thumbnail-item").nth(2).click()
    expect(page.get_by_text(re.compile(r"Done after .* 2 scales learned"))).to_be_visible(timeout=60_000)
    page.wait_for_timeout(1000)
    expect(page.locator("#said")).to_contain_text("All tabs work on green-field")
    expect(page.locator("#pyramids .thumbnail-item").nth(2)).to_have_class(re.compile("selected"))
    page.get_by_role("button", name="Sample from it").click()
    expect(page.locator("#samples img").first).to_have_attribute("src", re.compile("/tiles-"))
    expect(page.locator("#pyramids .thumbnail-item").first).to_have_class(re.compile("selected"))
    go_to(page, "Train")  # again, with another seed: it is chosen when it is there
    page.get_by_label("Seed", exact=True).locator("visible=true").fill("5")
    page.get_by_label("Steps per scale").fill("2")
    page.get_by_role("button", name="Train", exact=True).last.click()
    expect(page.locator("#pyramids img")).to_have_count(4, timeout=60_000)
    expect(page.locator("#said")).to_contain_text("All tabs work on tiles 2")
    expect(page.locator("#pyramids .thumbnail-item").first).to_have_class(re.compile("selected"))


def test_photo_is_uploaded_with_the_keyboard_and_a_wrong_one_is_a_toast(open_page, photo_path, tmp_path):
    wrong = tmp_path / "notes.png"
    wrong.write_text("not an image")
    page = open_page()
    before = captions(page, "samples")
    for file in (wrong, photo_path):
        with page.expect_file_chooser() as chooser:
            page.locator("#your-photo").get_by_role("button", name="Your photo").press("Space")
        chooser.value.set_files(file)
        if file == wrong:
            toast = page.get_by_test_id("toast-body")
            expect(toast).to_contain_text("notes.png is not an image that can be read; save it as PNG or JPEG.")
            page.get_by_test_id("toast-close").click()
            assert captions(page, "pyramids") == ["blue", "green-field"]
            assert captions(page, "samples") == before
            expect(page.locator("#your-photo")).not_to_contain_text("notes")
    expect(page.locator("#pyramids img")).to_have_count(3)
    assert captions(page, "pyramids") == ["tiles", "blue", "green-field"]


def test_wrong_upload_is_a_toast_and_stays(open_page, tmp_path):
    wrong = tmp_path / "notes.png"
    wrong.write_text("not an image")
    page = open_page()
    page.get_by_role("tab", name="Train").click()
    page.locator("#photo input[type=file]").set_input_files(wrong)
    toast = page.get_by_test_id("toast-body")
    expect(toast).to_contain_text("notes.png is not an image that can be read; save it as PNG or JPEG.")
    expect(page.locator("#photo")).to_contain_text("notes")
    page.get_by_test_id("toast-close").click()
    expect(toast).to_have_count(0)
    page.get_by_role("button", name="Train", exact=True).last.click()
    expect(toast).to_contain_text("notes.png is not an image that can be read")
    expect(page.locator(".run:visible").first).to_contain_text("notes.png is not an image that can be read")
    expect(page.get_by_role("button", name="Train", exact=True).last).to_be_enabled()
    assert "Traceback" not in page.content()


def test_phone_screen_does_not_scroll_sideways(open_page, photo_path):
    page = open_page(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    assert overflow(page) == 0 and upload_is_first_card(page)
    samples = page.locator("#samples").bounding_box()
    assert samples["y"] < page.get_by_role("button", name="Draw samples").bounding_box()["y"]  # a result comes first
    page.locator("button:visible", has_text="Load or share a model").click()
    expect(page.get_by_label("On the Hub")).to_be_visible()
    assert overflow(page) == 0
    upload(page, photo_path)
    expect(page.locator("#said")).to_be_visible()
    assert overflow(page) == 0
    start_training(page, photo_path, steps=2)
    expect(page.get_by_text(re.compile("Done after"))).to_be_visible(timeout=60_000)
    assert overflow(page) == 0


# The luminance of an element's text, and of what is behind it.
LUMINANCE = """element => { let node = element, colour = 'rgba(0, 0, 0, 0)';
        while (node && colour == 'rgba(0, 0, 0, 0)') {
            colour = getComputedStyle(node).backgroundColor; node = node.parentElement }
        return [getComputedStyle(element).color, colour].map(text => {
            const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map(v => {
                v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 });
            return .2126 * r + .7152 * g + .0722 * b }) }"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_colour_schemes(open_page, scheme):
    page = open_page(color_scheme=scheme)
    for element in ("#intro p", "#intro a", "[role=tab][aria-selected=true]", "#samples .caption-label"):
        text, ground = page.locator(element).first.evaluate(LUMINANCE)
        low, high = sorted([text, ground])
        assert (ground > 0.5) == (scheme == "light"), element
        assert (high + 0.05) / (low + 0.05) >= 4.5, element  # the contrast that WCAG asks for

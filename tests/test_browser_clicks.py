"""How many actions it takes from the page to a result on a photograph of one's own: three at most in each tab.

A file given is one, a line drawn one, a button one. Choosing the tab is not counted.
"""

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect
from test_browser import browser, go_to, open_page, overflow, stroke, upload  # noqa: F401  # two fixtures

DONE = re.compile(r"Done in \d")
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "color_scheme": "dark"}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
MOST = 3


class Visitor:
    """A person at the page with a photograph, whose actions are counted: in each tab anew, with that of giving it."""

    def __init__(self, page, photo):
        self.page, self.actions = page, 1
        upload(page, photo)
        expect(page.locator("#said")).to_contain_text("is a draft")

    def open(self, tab):
        go_to(self.page, tab)
        self.actions = 1

    def draw(self, canvas):
        self.actions += 1
        stroke(self.page, canvas)

    def press(self, name):
        self.actions += 1
        self.page.get_by_role("button", name=name, exact=True).locator("visible=true").click()

    def choose(self, name, file):
        with self.page.expect_file_chooser() as chooser:
            self.press(name)
        chooser.value.set_files(file)

    def pair(self):
        """The pictures in the slider: before, and after."""
        images = self.page.locator(".pair:visible img")
        expect(images.nth(1)).to_have_attribute("src", re.compile("."))
        urls = images.evaluate_all("images => images.map(image => image.src)")
        files = (io.BytesIO(self.page.request.get(url).body()) for url in dict.fromkeys(urls))
        return [Image.open(file).convert("RGB") for file in files]

    def sees(self, text):
        expect(self.page.locator(".run:visible").first).to_contain_text(text, timeout=60_000)
        self.is_soon_done()

    def is_soon_done(self):
        assert self.actions <= MOST
        assert overflow(self.page) == 0


@pytest.fixture
def own(photo, tmp_path):
    """A photograph of which a wide brush covers a part."""
    photo.resize((208, 160), Image.Resampling.BICUBIC).save(tmp_path / "own.png")
    return tmp_path / "own.png"


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "dark phone"])
def visitor(request, open_page, own):  # noqa: F811
    return Visitor(open_page(**request.param), own)


def test_own_photo_is_sampled_edited_and_filled(visitor, own):
    natural = "images => images.filter(image => image.complete && image.naturalWidth === 208).length"
    for _ in range(100):
        if visitor.page.locator("#samples img").evaluate_all(natural) == 6:
            break
        visitor.page.wait_for_timeout(100)
    assert visitor.page.locator("#samples img").evaluate_all(natural) == 6
    visitor.is_soon_done()
    visitor.open("Edit")
    visitor.draw("edit-canvas")
    visitor.press("Make it seamless")
    visitor.sees(DONE)
    before, after = visitor.pair()
    assert after.getpixel((0, 0)) == before.getpixel((0, 0)) == Image.open(own).getpixel((0, 0))
    assert before.tobytes() != Image.open(own).tobytes()  # the part is copied, before it is made seamless
    visitor.open("Fill")
    visitor.draw("fill-canvas")
    visitor.press("Fill what is painted over")
    expect(visitor.page.locator("#fill-results .caption-label")).to_have_count(3, timeout=60_000)
    visitor.is_soon_done()


def test_own_photo_is_harmonized_painted_and_moved(visitor, own):
    visitor.open("Harmonize")
    visitor.choose("Add an object", own)
    expect(visitor.page.locator(".thing")).to_have_count(1)
    visitor.press("Harmonize")
    visitor.sees(DONE)
    visitor.open("Paint to image")
    visitor.draw("paint-canvas")
    visitor.press("Turn into a picture")
    visitor.sees(DONE)
    visitor.open("Animate")
    visitor.press("Animate")
    visitor.sees("40 frames")


def test_own_photo_is_enlarged_and_denoised(visitor, own, monkeypatch):
    monkeypatch.setattr("singan.tasks.super_resolution.STEPS", 3)
    visitor.open("Super-resolution")
    visitor.press("Enlarge")
    visitor.sees("From 208x160 to 832x640 px")
    visitor.open("Denoise")
    visitor.actions += 1
    visitor.page.locator("#noisy input[type=file]").set_input_files(own)
    expect(visitor.page.locator("#noisy")).to_contain_text("own")
    visitor.press("Denoise")
    visitor.sees(DONE)

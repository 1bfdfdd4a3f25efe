"""The tab Second picture, tiles, and what is said of samples, in a real browser, as test_browser.py does."""

import re

import pytest
from playwright.sync_api import expect
from test_browser import browser, captions, downloaded, go_to, open_page, overflow  # noqa: F401  # two fixtures
from test_browser_tasks import DONE, press, visible_status

from singan.errors import ConfigError
from singan.ui import sample

SCREENS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}


@pytest.mark.parametrize("screen", SCREENS)
def test_second_picture_gives_its_layout_and_takes_the_style(open_page, photo, screen, tmp_path):
    photo.rotate(180).save(tmp_path / "other.png")
    page = open_page(**SCREENS[screen])
    go_to(page, "Second picture")
    page.locator("#second input[type=file]").set_input_files(tmp_path / "other.png")
    expect(page.locator("#second")).to_contain_text("other")
    press(page, "Draw it")
    expect(visible_status(page)).to_contain_text(DONE)
    assert downloaded(page).text["task"] == "analogy"
    expect(page.locator(".strip:visible")).to_have_count(0)  # of one scale there is nothing to choose
    result = page.locator(".pair:visible img").nth(1)
    before = result.get_attribute("src")
    page.get_by_label("It, in the style of the chosen picture").check()
    press(page, "Draw it")
    expect(result).not_to_have_attribute("src", before)  # the first one is done too
    expect(visible_status(page)).to_contain_text(DONE)
    image = downloaded(page)
    assert (image.text["task"], image.text["model"], image.size) == ("style", "blue", (52, 40))
    assert overflow(page) == 0
    page.get_by_role("button", name="Fill it").locator("visible=true").click()
    expect(page.locator("#said")).to_contain_text("is a draft")


@pytest.mark.parametrize("screen", SCREENS)
def test_tile_is_laid_and_what_was_copied_is_shown(open_page, screen, monkeypatch):
    def refuse(*_):
        raise ConfigError("too many")

    page = open_page(**SCREENS[screen])
    expect(page.locator("#laid")).to_be_hidden()
    page.locator("button:visible", has_text="How new are these?").click()
    press(page, "Show what was copied")
    expect(page.locator("#sources img")).to_be_visible()
    page.locator("button:visible", has_text="Tiles and mirrors").click()
    page.get_by_label("Tile", exact=True).click()
    page.get_by_role("option", name="left and right").click()
    press(page, "Draw samples")
    expect(page.locator("#laid img")).to_be_visible()
    expect(page.locator("#laid")).to_contain_text(re.compile(r"blue-\d+, laid 3 x 1"))
    expect(page.locator("#sources")).to_be_hidden()  # which was of the samples before
    assert len(captions(page, "samples")) == 6
    page.locator("#samples .thumbnail-item").nth(1).click()
    press(page, "Show what was copied")
    expect(page.locator("#sources img")).to_be_visible()
    seed = re.search(r"seed \d+", page.locator("#sources").inner_text())[0]
    page.keyboard.press("Escape")
    assert captions(page, "samples")[1].startswith(f"{seed} at ")
    assert overflow(page) == 0
    with monkeypatch.context() as patch:
        patch.setattr(sample, "check_megapixels", refuse)
        page.locator("#pyramids img").nth(1).click()
        expect(page.get_by_test_id("toast-body")).to_contain_text("too many")
        expect(page.locator("#samples img")).to_have_count(0)  # which were of the other one
        expect(page.locator("#laid")).to_be_hidden()


@pytest.mark.parametrize("screen", SCREENS)
def test_photos_are_mixed_and_chosen(open_page, photo, screen, tmp_path):
    photo.save(tmp_path / "one.png")
    photo.rotate(180).save(tmp_path / "two.png")
    page = open_page(**SCREENS[screen])
    page.locator("button:visible", has_text="Mix several photos").click()
    page.locator("#mix-photos input[type=file]").set_input_files([tmp_path / "one.png", tmp_path / "two.png"])
    expect(page.locator("#mix-photos")).to_contain_text("two")
    page.get_by_label("Shares").fill("2, 1")
    page.get_by_role("button", name="Mix them").click()
    expect(page.locator("#said")).to_contain_text("one + two is a draft")
    expect(page.locator("#pyramids .thumbnail-item").first).to_have_class(re.compile("selected"))
    assert overflow(page) == 0

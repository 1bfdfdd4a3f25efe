"""The tabs of the tasks in a real browser, as test_browser.py does for the others."""

import re
import threading
import time
from contextlib import closing

import pytest
from PIL import Image
from playwright.sync_api import expect
from test_browser import browser, downloaded, go_to, open_page, overflow, stroke  # noqa: F401  # two fixtures

import singan
from singan.tasks.injection import TaskEvent
from singan.ui import enlarge
from singan.ui.work import turns

DONE = re.compile(r"Done in \d")
TABS = ["Super-resolution", "Harmonize", "Edit", "Fill", "Paint to image", "Second picture", "Animate", "Denoise"]


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def choose_file(page, button, file):
    with page.expect_file_chooser() as chooser:
        press(page, button)
    chooser.value.set_files(file)


def visible_status(page):
    return page.locator(".run:visible").first


def test_object_is_pasted_and_harmonized_and_a_scale_chosen(open_page, tmp_path):
    Image.new("RGBA", (30, 30), "red").save(tmp_path / "object.png")
    page = open_page()
    go_to(page, "Harmonize")
    choose_file(page, "Add an object", tmp_path / "object.png")
    expect(page.locator(".thing")).to_have_count(1)
    press(page, "Harmonize")
    expect(visible_status(page)).to_contain_text(DONE)
    expect(visible_status(page)).to_contain_text("picked automatically")
    assert page.locator(".strip:visible").count() == 0  # the scales differ too little to compare

    page.locator("button:visible", has_text="Advanced").click()
    scale = page.get_by_label("Scale to start from").locator("visible=true")
    scale.click()
    page.get_by_role("option", name="2", exact=True).click()
    press(page, "Harmonize")  # that scale, beside the others
    expect(page.locator(".strip:visible .caption-label")).to_have_text(["Scale 1", "Scale 2 ✓"])
    page.locator(".strip:visible .thumbnail-item").first.click()
    expect(scale).to_have_value("1")
    image = downloaded(page)
    assert (image.format, image.size) == ("PNG", (52, 40))
    assert (image.text["scale"], image.text["task"], image.text["model"]) == ("1", "harmonize", "blue")

    expect(visible_status(page)).to_contain_text("Scale 1, which you chose.")
    press(page, "Harmonize")  # now that one
    expect(visible_status(page)).to_contain_text(DONE)
    expect(page.locator(".strip:visible .caption-label")).to_have_text(["Scale 1 ✓", "Scale 2"])


def place(page, number):
    """Where an object is on the picture: across, down, and how wide, as shares of the picture's width and height."""
    scene, box = page.locator(".scene").bounding_box(), page.locator(".thing").nth(number).bounding_box()
    across = (box["x"] + box["width"] / 2 - scene["x"]) / scene["width"]
    down = (box["y"] + box["height"] / 2 - scene["y"]) / scene["height"]
    return pytest.approx((across, down, box["width"] / scene["width"]), abs=0.02)


def comes_to(page, number, wanted):
    """Is an object at that place, soon? It is moved with the next frame that the browser draws."""
    for _ in range(100):
        if wanted == place(page, number):
            return True
        page.wait_for_timeout(50)
    return False


def test_objects_are_dragged_by_mouse_and_keys_and_made_seamless(open_page, photo, tmp_path):
    Image.new("RGBA", (30, 30), "red").save(tmp_path / "object.png")
    page = open_page()
    go_to(page, "Edit")
    for count in (1, 2):  # the same file twice
        choose_file(page, "Add an object", tmp_path / "object.png")
        expect(page.locator(".thing")).to_have_count(count)
    size = 0.35 * 40 / 52
    assert (0.5, 0.5, size) == place(page, 1)
    scene = page.locator(".scene").bounding_box()
    x, y = scene["x"] + scene["width"] / 2, scene["y"] + scene["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 0.3 * scene["width"], y + 0.25 * scene["height"], steps=3)
    page.mouse.up()
    assert (0.8, 0.75, size) == place(page, 1) and (0.5, 0.5, size) == place(page, 0)

    first = page.locator(".thing").first
    first.focus()
    for key, times in (("Shift+ArrowLeft", 5), ("ArrowUp", 25), ("+", 2), ("-", 2)):
        for _ in range(times):
            first.press(key)
    assert (0.25, 0.25, size) == place(page, 0)
    expect(page.locator("output.said")).to_have_text("Object 1: 25% across, 25% down, size 35%")
    press(page, "Make it seamless")
    expect(visible_status(page)).to_contain_text(DONE)
    image = downloaded(page)
    far = [(26, 20), (2, 38), (50, 2)]
    assert image.size == (52, 40) and all(image.getpixel(at) == photo.getpixel(at) for at in far)  # nothing there
    assert image.getpixel((13, 10)) != photo.getpixel((13, 10))


def test_objects_are_removed_become_part_of_the_canvas_and_go_with_another_picture(open_page, photo, tmp_path):
    Image.new("RGBA", (30, 30), "red").save(tmp_path / "object.png")
    page = open_page()
    go_to(page, "Edit")
    for count in (1, 2):
        choose_file(page, "Add an object", tmp_path / "object.png")
        expect(page.locator(".thing")).to_have_count(count)
    press(page, "Remove")
    expect(page.locator(".thing")).to_have_count(1)
    page.locator(".thing").press("Delete")
    expect(page.locator(".thing")).to_have_count(0)
    choose_file(page, "Add an object", tmp_path / "object.png")
    expect(page.locator(".thing")).to_have_count(1)
    press(page, "Paint over it")
    expect(page.locator(".thing")).to_have_count(0)
    expect(page.locator("#edit-canvas canvas").first).to_be_visible()
    press(page, "Make it seamless")
    expect(visible_status(page)).to_contain_text(DONE)
    image = downloaded(page)
    assert image.getpixel((0, 0)) == photo.getpixel((0, 0))
    assert image.getpixel((26, 20)) != photo.getpixel((26, 20))
    choose_file(page, "Add an object", tmp_path / "object.png")
    expect(page.locator(".thing")).to_have_count(1)
    page.locator("#pyramids img").nth(1).click()  # another picture: nothing lies on it
    expect(page.locator("#edit-canvas")).to_be_visible()
    expect(page.locator(".thing")).to_have_count(0)


def test_object_is_dragged_by_a_finger_and_sized_by_two(open_page, tmp_path):
    Image.new("RGBA", (30, 30), "red").save(tmp_path / "object.png")
    page = open_page(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, color_scheme="dark")
    go_to(page, "Harmonize")
    choose_file(page, "Add an object", tmp_path / "object.png")
    expect(page.locator(".thing")).to_have_count(1)
    assert overflow(page) == 0
    page.locator(".scene").scroll_into_view_if_needed()
    scene = page.locator(".scene").bounding_box()
    x, y, w = scene["x"] + scene["width"] / 2, scene["y"] + scene["height"] / 2, scene["width"]
    touch = page.context.new_cdp_session(page)

    def send(kind, *points):
        points = [{"x": px, "y": py, "id": k} for k, (px, py) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})

    scrolled = page.evaluate("scrollY")
    send("Start", (x, y))
    send("Move", (x - w / 8, y - w / 8))
    send("Move", (x - w / 4, y - w / 4))
    size = 0.35 * 40 / 52
    assert comes_to(page, 0, (0.25, 0.5 - 52 / 40 / 4, size))
    send("Start", (x - w / 4, y - w / 4), (x, y))
    send("Move", (x - w / 4, y - w / 4), (x + w / 4, y + w / 4))
    send("End")
    assert comes_to(page, 0, (0.25, 0.5 - 52 / 40 / 4, 2 * size))
    assert page.evaluate("scrollY") == scrolled
    press(page, "Larger")
    assert comes_to(page, 0, (0.25, 0.5 - 52 / 40 / 4, 2.3 * size))
    press(page, "Harmonize")
    expect(visible_status(page)).to_contain_text(DONE)


def test_painted_part_is_filled_and_the_picture_grows(open_page, photo, tmp_path):
    photo.resize((260, 200)).save(tmp_path / "large.png")  # the brush is wide
    page = open_page()
    go_to(page, "Fill")
    choose_file(page, "Upload a picture", tmp_path / "large.png")
    expect(page.locator("#fill-canvas canvas").first).to_be_visible()
    press(page, "Fill what is painted over")
    expect(page.get_by_test_id("toast-body")).to_contain_text("Nothing is painted over yet: paint over what shall go.")
    expect(page.locator(".chain:visible")).to_have_count(0)  # there is nothing to go on with
    stroke(page, "fill-canvas")
    press(page, "Fill what is painted over")
    expect(page.locator("#fill-results .caption-label")).to_have_text(["seed 0", "seed 1", "seed 2"])
    page.locator("button:visible", has_text="Grow beyond the border").click()
    slider = page.get_by_label("range slider for Right (%)")
    expect(slider).to_have_value("0")
    page.get_by_label("number input for Right (%)").fill("50")
    expect(slider).to_have_value("50")
    press(page, "Grow the picture")
    expect(page.locator("#fill-results img").first).to_have_js_property("naturalWidth", 390)
    expect(page.locator("#fill-results .caption-label")).to_have_count(3)
    page.locator("button:visible", has_text="Keep what is painted over").click()
    press(page, "Draw the rest anew")
    expect(page.locator("#fill-results img").first).to_have_js_property("naturalWidth", 260)
    expect(page.locator("#fill-results .caption-label")).to_have_count(3)


def test_what_is_asked_for_during_a_run_is_run_next(open_page, photo, monkeypatch):
    """By the button, and by an example; what ran until then ends."""
    begun, ended = [], []

    def fill(model, mask, *, n, seed, on_event):
        begun.append(seed)
        try:
            while len(begun) % 2:  # every second one gives a result
                on_event(TaskEvent(1, n, "sample"))
                time.sleep(0.05)
        finally:
            ended.append(seed)
        image = photo.copy()
        image.info = {"task": "fill", "seed": seed}
        return [image]

    monkeypatch.setattr(singan, "fill", fill)
    page = open_page()
    go_to(page, "Fill")
    stroke(page, "fill-canvas")
    press(page, "Fill what is painted over")
    expect(visible_status(page)).to_contain_text("Sample 1 of 3")
    press(page, "Fill what is painted over")
    expect(page.locator("#fill-results .caption-label")).to_have_text(["seed 0"])
    assert len(begun) == len(ended) == 2
    examples = page.locator(".examples:visible .thumbnail-item")
    examples.nth(0).click()
    expect(visible_status(page)).to_contain_text("Sample 1 of 3")
    expect(page.locator("#fill-results img")).to_have_count(0)
    examples.nth(1).click()
    expect(page.locator("#fill-results .caption-label")).to_have_text(["seed 0"])
    expect(page.locator("#said")).to_contain_text("All tabs work on green-field")
    assert len(begun) == len(ended) == 4


def test_stopped_run_is_begun_again_at_once(open_page, photo_path, monkeypatch):
    """The button comes back when the stopped run has ended: until then the page would begin no other."""
    begun, learn_all = [], enlarge.learn_all

    def slowly(*args):
        begun.append(time.monotonic())
        with closing(learn_all(*args)) as events:
            for event in events:
                yield event
                time.sleep(1)  # until it hears of Stop

    monkeypatch.setattr(enlarge, "learn_all", slowly)
    page = open_page()
    go_to(page, "Super-resolution")
    page.locator("#small input[type=file]").set_input_files(photo_path)
    expect(page.locator("#small")).to_contain_text("tiles")
    for count in (1, 2):
        press(page, "Enlarge")
        expect(visible_status(page)).to_contain_text("Learning: step")
        assert len(begun) == count
        page.get_by_role("button", name="Stop", exact=True).locator("visible=true").click()
        expect(visible_status(page)).to_contain_text("Stopped; nothing is kept.")


def test_of_pictures_that_are_clicked_in_a_row_the_last_one_alone_is_drawn(open_page, pretrained, monkeypatch):
    drawn, clicked, whole, renews, renew = [], threading.Event(), singan.SinGAN.iter_samples, [], turns.renew

    def slow(model, *args, **options):
        drawn.append(model.z_star.sum().item())
        for image in whole(model, *args, **options):
            yield image
            assert clicked.wait(20)

    def renewed(session, tab):
        renews.append(tab)
        renew(session, tab)

    page = open_page()
    monkeypatch.setattr(singan.SinGAN, "iter_samples", slow)
    press(page, "Draw samples")
    expect(page.locator("#samples img")).to_have_count(1)
    monkeypatch.setattr(turns, "renew", renewed)
    for number in (1, 0):  # which is being drawn already
        page.locator("#pyramids img").nth(number).click()
        for _ in range(200):
            page.wait_for_timeout(50)
            if renews.count("sample") == 2 - number:
                break
        else:
            raise AssertionError(f"{number} is not shown")
    clicked.set()
    expect(page.locator("#samples img")).to_have_count(6)
    blue = singan.SinGAN.from_pretrained(pretrained / "blue").z_star.sum().item()
    assert drawn == [blue, blue]


def test_painted_part_is_made_seamless_copied_and_started_over(open_page, photo):
    page = open_page()
    go_to(page, "Edit")
    stroke(page, "edit-canvas")
    press(page, "Make it seamless")
    expect(visible_status(page)).to_be_in_viewport()  # where one presses
    expect(visible_status(page)).to_contain_text(DONE)
    image = downloaded(page)
    assert image.getpixel((0, 0)) == photo.getpixel((0, 0))  # exactly: it is far from the stroke

    press(page, "Show it, and change more")
    page.locator("button:visible", has_text="Advanced").click()
    expect(page.locator("#edit-mask img")).to_be_visible()
    press(page, "Start over")
    expect(page.locator(".strip:visible")).to_have_count(0)
    page.wait_for_timeout(2000)  # until the canvas is the new one
    press(page, "Make it seamless")
    expect(page.get_by_test_id("toast-body")).to_contain_text("Nothing is changed yet: paint over a part")


def test_sketch_in_the_pictures_colours_becomes_a_picture(open_page):
    page = open_page()
    go_to(page, "Paint to image")
    stroke(page, "paint-canvas")
    press(page, "Turn into a picture")
    expect(visible_status(page)).to_contain_text(DONE)
    assert downloaded(page).text["task"] == "paint2image"


def test_examples_choose_their_pyramid_and_run(open_page):
    page = open_page()
    for number, tab in enumerate(["Harmonize", "Edit", "Paint to image", "Denoise", "Second picture"], 1):
        go_to(page, tab)
        page.locator(".examples:visible .thumbnail-item").nth(number % 2).click()
        expect(visible_status(page)).to_contain_text(DONE)
        expect(page.locator("#pyramids .thumbnail-item").nth(number % 2)).to_have_class(re.compile("selected"))
        assert downloaded(page).text["model"] == ["blue", "green-field"][number % 2]


def test_example_that_somebody_clicked_gives_its_result_to_the_next_one_at_once(open_page, monkeypatch):
    page = open_page()
    go_to(page, "Edit")
    page.locator(".examples:visible .thumbnail-item").first.click()
    expect(visible_status(page)).to_contain_text(DONE)
    said, result = visible_status(page).inner_text(), downloaded(page).tobytes()
    go_to(page, "Fill")
    expect(page.locator("#fill-canvas canvas").first).to_be_visible()  # gradio loses a layer that comes before
    page.locator(".examples:visible .thumbnail-item").first.click()
    expect(page.locator("#fill-results .caption-label")).to_have_count(3)
    for name in ("edit", "fill"):
        monkeypatch.setattr(singan, name, None)  # not to be called
    other = open_page()
    go_to(other, "Fill")
    expect(other.locator("#fill-canvas canvas").first).to_be_visible()
    other.locator(".examples:visible .thumbnail-item").first.click()
    expect(other.locator("#fill-results .caption-label")).to_have_text(["seed 0", "seed 1", "seed 2"])
    go_to(other, "Edit")
    other.locator(".examples:visible .thumbnail-item").first.click()
    expect(visible_status(other)).to_have_text(said)
    assert downloaded(other).tobytes() == result


def test_small_picture_is_enlarged_and_a_run_stopped(open_page, photo_path, monkeypatch):
    page = open_page()
    monkeypatch.setattr("singan.tasks.super_resolution.STEPS", 10)
    go_to(page, "Super-resolution")
    press(page, "Enlarge")
    expect(visible_status(page)).to_contain_text("From 52x40 to 208x160 px")
    assert downloaded(page).size == (208, 160)
    monkeypatch.undo()
    page.locator("#small input[type=file]").set_input_files(photo_path)
    expect(page.locator("#small")).to_contain_text("tiles")
    press(page, "Enlarge")
    expect(visible_status(page)).to_contain_text("Learning: step")
    page.get_by_role("button", name="Stop", exact=True).locator("visible=true").click()
    expect(visible_status(page)).to_contain_text("Stopped; nothing is kept.")
    go_to(page, "Denoise")  # the queue is free again
    page.locator(".examples:visible .thumbnail-item").first.click()
    expect(visible_status(page)).to_contain_text(DONE)


def test_animation_is_made_and_shown(open_page):
    page = open_page()
    go_to(page, "Animate")
    page.get_by_label("number input for Frames", exact=True).fill("5")
    expect(page.get_by_label("Frame that goes there")).to_be_hidden()
    press(page, "Animate")
    expect(visible_status(page)).to_contain_text(re.compile("5 frames, .* in"))
    expect(page.locator("#animation img")).to_have_attribute("src", re.compile(r"\.webp$"))
    page.get_by_label("Frame that goes there").fill("2")
    page.get_by_role("button", name="Edit it").locator("visible=true").click()
    expect(page.locator("#said")).to_contain_text("blue-0-frame-2 is a draft")
    expect(page.locator("#edit-canvas canvas").first).to_be_visible()


def test_animation_that_waits_when_another_picture_is_clicked_is_not_shown(open_page, held_lane):
    page = open_page()
    go_to(page, "Animate")
    page.get_by_label("number input for Frames", exact=True).fill("2")
    for number, name in ((1, "green-field"), (0, "blue")):
        held_lane.current_concurrency = held_lane.concurrency_limit
        with page.expect_response(re.compile("queue/join")):
            press(page, "Animate")
        expect(visible_status(page)).to_contain_text("Starting")  # before it has its turn
        page.locator("#pyramids .thumbnail-item").nth(number).click()
        expect(page.locator("#said")).to_contain_text(name)
        page.wait_for_timeout(500)  # until the tab follows
        if name == "blue":
            press(page, "Animate")
        held_lane.current_concurrency = 0
        if name == "green-field":
            page.wait_for_timeout(2000)  # a run of two frames takes half of it
            expect(visible_status(page)).to_contain_text("Press Animate")
    expect(page.locator("#animation img")).to_have_attribute("src", re.compile(r"blue-0\.webp$"))


def test_variation_map_is_under_the_samples_of_its_model_alone(open_page):
    page = open_page()
    page.locator("button:visible", has_text="What varies").click()
    press(page, "Draw the map")
    expect(page.locator("#map img")).to_be_visible()
    page.locator("#pyramids .thumbnail-item").nth(1).click()
    expect(page.locator("#map img")).to_have_count(0)


def test_map_of_another_model_comes_when_that_of_the_one_before_is_given_up(open_page, monkeypatch):
    begun, go_on, whole, page = threading.Event(), threading.Event(), singan.variation_map, open_page()

    def slow(*args, on_event, **options):
        begun.set()
        assert go_on.wait(20)
        on_event(TaskEvent(1, 9, "sample"))
        return whole(*args, on_event=on_event, **options)

    monkeypatch.setattr(singan, "variation_map", slow)
    page.locator("button:visible", has_text="What varies").click()
    press(page, "Draw the map")
    expect(visible_status(page)).to_contain_text("Starting")
    assert begun.wait(20)
    page.locator("#pyramids .thumbnail-item").nth(1).click()
    expect(visible_status(page)).to_contain_text("Black does not change")
    press(page, "Draw the map")
    page.wait_for_timeout(500)
    go_on.set()
    expect(page.locator("#map img")).to_have_attribute("src", re.compile("green-field-variation"))


def test_results_of_the_model_before_are_gone_with_it_and_an_examples_come(open_page):
    page = open_page()
    for tab in ("Denoise", "Second picture"):
        go_to(page, tab)
        page.locator(".examples:visible .thumbnail-item").first.click()
        expect(visible_status(page)).to_contain_text(DONE)
        expect(page.locator(".pair:visible img").first).to_be_visible()
        page.locator("#pyramids .thumbnail-item").nth(1).click()
        expect(page.locator(".pair:visible")).to_have_count(0)
        expect(visible_status(page)).to_contain_text("Upload a")
        page.locator(".examples:visible .thumbnail-item").first.click()  # known by now
        expect(page.locator(".pair:visible img").first).to_be_visible()
        expect(visible_status(page)).to_contain_text(DONE)
        page.wait_for_timeout(1000)
        expect(page.locator(".pair:visible img").first).to_be_visible()


def test_wrong_uploads_are_toasts(open_page, tmp_path):
    wrong = tmp_path / "notes.png"
    wrong.write_text("not an image")
    page = open_page()
    buttons = {"Harmonize": "Add an object", "Edit": "Upload an edit", "Paint to image": "Upload a painting"}
    for tab, button in buttons.items():
        go_to(page, tab)
        choose_file(page, button, wrong)
        toast = page.get_by_test_id("toast-body")
        expect(toast).to_contain_text("notes.png is not an image that can be read")
        page.get_by_test_id("toast-close").click()
        expect(toast).to_have_count(0)


def test_dark_phone_screen_can_be_read_and_does_not_scroll_sideways(open_page):
    page = open_page(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, color_scheme="dark")
    for tab in TABS:
        go_to(page, tab)
        expect(page.locator("button.primary:visible")).to_have_count(1)
        assert overflow(page) == 0, tab
        color = visible_status(page).evaluate("element => getComputedStyle(element).color.match(/\\d+/g).map(Number)")
        assert min(color) > 180, tab
        if tab == "Harmonize":
            page.locator(".examples:visible .thumbnail-item").first.click()
            expect(visible_status(page)).to_contain_text(DONE)
            assert overflow(page) == 0, tab


def test_tabs_that_are_not_seen_follow_another_picture_after_its_first_samples(open_page):
    page, asked = open_page(), []
    names = dict(page.evaluate("window.gradio_config.dependencies.map(one => [one.id, one.api_name])"))
    page.on("request", lambda request: asked.append(request) if "/queue/join" in request.url else None)

    def called():
        return [re.sub(r"_\d+$", "", names[request.post_data_json["fn_index"]]) for request in asked]

    def wait_for(wanted):
        for _ in range(200):
            if wanted <= {*called()}:
                return
            page.wait_for_timeout(50)
        raise AssertionError(f"{called()} has not all of {wanted}")

    canvases = {"start_over", "fresh_picture", "blank"}
    page.locator("#pyramids .thumbnail-item").nth(1).click()
    wait_for({"sample", *canvases})
    assert called().index("sample") < min(called().index(one) for one in canvases)
    page.wait_for_timeout(1000)

    go_to(page, "Fill")
    expect(page.locator("#fill-canvas canvas").first).to_be_visible()
    asked.clear()
    page.locator("#pyramids .thumbnail-item").nth(0).click()
    wait_for({"fresh_picture"})  # that one is seen
    page.wait_for_timeout(1000)
    assert not {"start_over", "blank", "sample"} & {*called()}
    go_to(page, "Sample")
    wait_for({"sample"})
    expect(page.locator("#samples img").first).to_have_attribute("src", re.compile("/blue-"))

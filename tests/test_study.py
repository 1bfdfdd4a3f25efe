"""A user study: which pictures it shows, the page, and what answers say."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from singan.cli import main
from singan.errors import ConfigError, ImageError
from singan.study.answers import read_answers
from singan.study.confusion import badly_timed, bootstrap, confusion, wilson
from singan.study.design import SHOWN, Settings
from singan.study.page import page
from singan.study.sources import Source, by_photo, of_folders, of_model
from singan.study.trials import choose, cut, draw_items, encode

HOSTILE = '</script><script>alert(1)</script><!-- {{script}} & "\u2028\u2029'


def picture(seed: int, size=(90, 72)) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def source(photo: int, name: str = "", method: str = "fast", **more) -> Source:
    return Source(picture(photo), lambda seed: picture(1000 + seed), method, name or f"photo-{photo}", 0, 0.5, **more)


def study_in(html: str) -> dict:
    """The data of a page, as a browser finds it: up to the first end of a script."""
    start = html.index('<script id="study" type="application/json">') + 43
    return json.loads(html[start : html.index("</script", start)])


def answer(item: int, kind: str = "paired", *, wrong: bool = False, shown: int = 0, **more) -> dict:
    said = SHOWN[kind][1 - shown if wrong else shown]
    given = {"item": item, "kind": kind, "method": "fast", "model": "skyline", "start_scale": 0, "variation": 0.5}
    return {**given, "shown": SHOWN[kind][shown], "answer": said, "shown_ms": 1003, "reaction_ms": 412, **more}


def answers(participant: int, *given: dict, **more) -> dict:
    facts = {"format_version": 1, "study": "0123456789abcdef", "participant": f"{participant:016x}", "seconds": 1}
    return {**facts, "parts": 1, "answers": list(given), **more}


@pytest.fixture
def saved(tmp_path):
    """Write values as JSON files, and return their paths."""

    def save(*values) -> list[Path]:
        paths = [tmp_path / f"answers-{k}.json" for k in range(len(values))]
        for path, value in zip(paths, values, strict=True):
            path.write_text(value if isinstance(value, str) else json.dumps(value))
        return paths

    return save


@pytest.fixture
def run(capsys):
    def call(*args: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["study", *map(str, args)])
        return code, *capsys.readouterr()

    return call


# --- which pictures -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("photos", "settings", "items", "practice"),
    [
        (60, {}, 55, 5),
        (50, {}, 50, 5),
        (20, {}, 20, 4),
        (5, {"parts": 4}, 20, 4),
        (6, {"parts": 9}, 54, 5),
        (7, {"trials": 4, "practice": 0}, 4, 0),
        (9, {"trials": 4, "practice": 2}, 6, 1),
        (1, {}, 1, 0),
    ],
)
def test_each_part_of_a_photograph_is_shown_once_and_photographs_come_equally_often(photos, settings, items, practice):
    settings = Settings(**settings)
    chosen = choose(photos, settings)
    assert len(chosen) == len(set(chosen)) == items
    counts = np.bincount([photo for photo, _ in chosen], minlength=photos)
    assert counts.max() - counts.min() <= 1
    assert all(0 <= part < settings.parts for _, part in chosen)


def test_practice_is_a_fifth_at_most_and_its_pictures_do_not_count():
    drawn = draw_items(by_photo([source(k) for k in range(12)]), Settings())
    assert [item.practice for item in drawn] == [True] * 2 + [False] * 10
    assert len({item.photo for item in drawn}) == 12


def test_seed_decides_what_is_shown_to_the_last_byte():
    pages = [
        page(draw_items(by_photo([source(k) for k in range(6)]), Settings(trials=3, seed=seed)), Settings())
        for seed in (1, 1, 2)
    ]
    assert pages[0] == pages[1]
    assert pages[0][1] != pages[2][1] and study_in(pages[0][0])["items"] != study_in(pages[2][0])["items"]


def test_generated_pictures_are_of_samples_of_their_own():
    seeds = []
    one = Source(picture(0, (200, 160)), lambda seed: seeds.append(seed) or picture(seed, (200, 160)), "fast", "a")
    drawn = draw_items([[one]], Settings(parts=4, practice=0, seed=7))
    assert sorted(seeds) == [7, 8, 9, 10] and len({item.versions[0].generated for item in drawn}) == 4


def test_one_photograph_of_two_models_is_one_even_at_two_sizes():
    photo = picture(3, (200, 160))
    small = photo.resize((100, 80), Image.Resampling.LANCZOS)
    a, b = Source(photo, lambda seed: photo, "fast", "photo"), Source(small, lambda seed: small, "paper", "photo")
    groups = by_photo([a, source(1), b])
    assert [[one.method for one in group] for group in groups] == [["fast", "paper"], ["fast"]]


def test_two_models_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="Two models of fast are called twin: rename one, or leave it out."):
        by_photo([source(1, "twin"), source(2, "twin")])


@pytest.mark.parametrize("name", ["two\nlines", "m" * 301, "\x1b[2J"])
def test_names_that_answers_could_not_hold_are_refused(name):
    with pytest.raises(ConfigError, match="is no name for a study, one line of at most 300 letters."):
        by_photo([source(1, name)])


def test_parts_are_of_one_size_and_together_the_picture():
    image, settings = picture(1, (301, 202)), Settings(parts=4, max_side=512)
    parts = [cut(image, part, settings, "a") for part in range(4)]
    assert {part.size for part in parts} == {(150, 101)}
    whole = Image.new("RGB", (300, 202))
    for k, part in enumerate(parts):
        whole.paste(part, (k % 2 * 150, k // 2 * 101))
    assert np.array_equal(np.asarray(whole), np.asarray(image.crop((0, 0, 300, 202))))


def test_parts_that_are_too_small_are_refused():
    with pytest.raises(ConfigError, match="A part of a is 30x24 px; it takes 64 px a side: show it in fewer parts."):
        cut(picture(1), 0, Settings(parts=9), "a")


@pytest.mark.parametrize("parts", [1, 4])
def test_what_is_shown_ends_at_max_side(parts):
    assert cut(picture(1, (900, 600)), 0, Settings(parts=parts, max_side=200), "a").size == (200, 133)


def test_real_and_generated_are_encoded_alike_and_carry_nothing_but_pixels():
    plain, told = picture(1), picture(1)
    told.info.update(icc_profile=b"profile", exif=b"Exif\0\0exif", xmp=b"xmp", seed="3")
    assert encode(told) == encode(plain)
    file = encode(plain)
    assert file[12:16] == b"VP8 " and len(file) == 20 + int.from_bytes(file[16:20], "little")  # one chunk, of pixels


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trials": 51}, "trials is 51; it goes from 1 to 50."),
        ({"trials": 0}, "trials is 0"),
        ({"practice": 11}, "practice is 11; it goes from 0 to 10."),
        ({"parts": 2}, "parts is 2; a photograph is shown in 1, 4 or 9 parts."),
        ({"seconds": 0.0}, "seconds is 0; it goes from 0.05 to 60."),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"max_side": 5000}, "max_side is 5000"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Settings(**settings)


# --- what is judged -------------------------------------------------------------------------------


def test_model_is_drawn_from_as_sample_does(tiny_model):
    found = of_model(tiny_model, "tiny", [0, 1, 0], [None, 0.2])
    usual = tiny_model.config.usual_variation
    assert [(one.start_scale, one.variation) for one in found] == [(0, usual), (0, 0.2), (1, None)]
    assert {one.method for one in found} == {"own settings"}
    for one, settings in zip(found, ({}, {"variation": 0.2}, {"start_scale": 1}), strict=True):
        assert np.array_equal(np.asarray(one.draw(5)), np.asarray(tiny_model.sample(1, seed=5, **settings)[0]))
        assert one.draw(5).size == one.photo.size == tiny_model.training_image.size


def test_start_scale_that_a_model_does_not_have_is_refused_by_its_name(tiny_model):
    with pytest.raises(ConfigError, match="tiny: start_scale is 2; this model has generators at the scales 0 to 1."):
        of_model(tiny_model, "tiny", [2])


@pytest.fixture
def folders(tmp_path):
    """Three photographs of twice the size, and two folders of pictures in their places, one of only two and one with a
    folder in it."""
    for folder, count, size in (("real", 3, (180, 144)), ("rival", 3, (90, 72)), ("other", 2, (90, 72))):
        (tmp_path / folder).mkdir()
        for k in range(count):
            picture(k if folder == "real" else k + 50, size).save(tmp_path / folder / f"{k}.png")
    (tmp_path / "rival" / "older.png").mkdir()
    return tmp_path


def test_pictures_of_other_programs_are_judged_beside_the_photographs_of_their_names(folders):
    found, left = of_folders(folders / "real", [folders / "rival", folders / "other"], 512)
    assert [(one.method, one.model) for one in found] == [
        ("rival", "0"), ("rival", "1"), ("rival", "2"), ("other", "0"), ("other", "1"),
    ]  # fmt: skip
    assert {one.photo.size for one in found} == {(90, 72)} and left == []
    assert np.array_equal(np.asarray(found[1].draw(9)), np.asarray(picture(51)))
    assert [len(group) for group in by_photo(found)] == [2, 2, 1]
    assert of_folders(folders / "real", [folders / "other"], 512)[1] == ["2"]


def test_folders_that_do_not_go_together_are_refused(folders):
    real, rival = folders / "real", folders / "rival"
    picture(9).save(rival / "9.png")
    with pytest.raises(ConfigError, match="9.png has no photograph"):
        of_folders(real, [rival], 512)
    (rival / "9.png").rename(rival / "1.jpg")
    with pytest.raises(ConfigError, match="holds 1.jpg and 1.png: leave one of the two."):
        of_folders(real, [rival], 512)
    (rival / "1.jpg").unlink()
    picture(9, (90, 90)).save(rival / "1.png")
    with pytest.raises(ImageError, match="is 90x90 px and its photograph 180x144: give pictures of one shape."):
        of_folders(real, [rival], 512)
    with pytest.raises(ConfigError, match="is no folder"):
        of_folders(real, [folders / "nowhere"], 512)
    (folders / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no picture"):
        of_folders(folders / "empty", [rival], 512)


# --- the page -------------------------------------------------------------------------------------


def test_titles_of_strangers_stay_text():
    hostile = source(0, HOSTILE, credit=HOSTILE)
    html, _ = page(draw_items([[hostile]], Settings()), Settings())
    assert html.count("<script") == html.count("</script>") == 2 and html.count("<!--") == 0
    study = study_in(html)
    assert study["credits"] == [HOSTILE] and study["items"][0]["versions"][0]["model"] == HOSTILE
    assert study["pictures"][0].startswith("data:image/webp;base64,")
    assert not re.search(r"[\u2028\u2029]", html)


def test_page_needs_nothing_else_and_may_run_nothing_else():
    html, _ = page(draw_items([[source(0)]], Settings()), Settings())
    assert "default-src 'none'" in html and "unsafe" not in html and "{{" not in html
    assert re.findall(r"""(?:https?:|//)[\w.]+\.\w+""", re.sub(r"data:image[^\"]+", "", html)) == []
    assert "photo-0" not in html.partition('<script id="study"')[0]  # nothing that is shown says what it is


# --- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "count", "low", "high"),
    [  # worked out from the formula with z = 1.96 by hand, to four places
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (1, 1, 0.2065, 1.0),
        (15, 50, 0.1910, 0.4375),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval(wrong, count, low, high):
    assert wilson(wrong, count) == pytest.approx((low, high), abs=6e-5)


def test_bootstrap_is_over_participants_and_by_seed():
    alike = bootstrap([(5, 10)] * 8)
    assert alike == (0.5, 0.5)  # no participant differs from another
    assert bootstrap([(0, 10), (10, 10)] * 4) == (0.125, 0.875)  # a binomial of 8: P(X <= 0) < 2.5 % < P(X <= 1)
    counts = [(2, 10), (5, 10), (9, 20), (1, 10), (7, 10)]
    assert bootstrap(counts, 3) == bootstrap(counts, 3)
    low, high = bootstrap(counts)
    assert low < 24 / 60 < high


def test_confusion_is_counted_by_condition(saved):
    one = answers(
        1,
        answer(0, wrong=True),
        answer(1),
        answer(2, shown=1),
        answer(3, "unpaired", wrong=True),
        answer(4, "unpaired", shown=1, wrong=True),
        answer(5, "unpaired", shown=1),
        answer(6, method="rival", model="3", start_scale=None, variation=None),
    )
    two = answers(2, answer(0, wrong=True), answer(1, model="waves", wrong=True))
    read = read_answers(saved(one, two))
    rows = {(row.condition.kind, row.condition.method): row for row in confusion(read)}
    paired = rows["paired", "fast"]
    assert (paired.participants, paired.answers, paired.wrong, paired.confusion) == (2, 5, 3, 0.6)
    assert paired.by_answers == wilson(3, 5) and paired.by_participants is None
    assert (paired.published, paired.real_doubted) == (0.2145, None)
    unpaired = rows["unpaired", "fast"]
    assert (unpaired.wrong, unpaired.answers) == (2, 3) and unpaired.published == 0.429
    assert (unpaired.real_doubted, unpaired.generated_believed) == ((1, 1), (1, 2))
    assert (rows["paired", "rival"].answers, rows["paired", "rival"].published) == (1, None)
    each = confusion(read, each_model=True)
    assert {(row.condition.model, row.wrong, row.answers) for row in each if row.condition.kind == "paired"} == {
        ("skyline", 2, 4), ("waves", 1, 1), ("3", 0, 1),
    }  # fmt: skip


def test_five_participants_have_an_interval_of_their_own(saved):
    files = [answers(k, answer(0, wrong=k < 2), answer(1)) for k in range(5)]
    (row,) = confusion(read_answers(saved(*files)))
    assert row.by_participants == bootstrap([(1, 2), (1, 2), (0, 2), (0, 2), (0, 2)])


def test_published_figures_stand_beside_what_is_like_them_alone(saved):
    def published(kind, start_scale, **more):
        (row,) = confusion(read_answers(saved(answers(1, answer(0, kind, start_scale=start_scale), **more))))
        return row.published

    assert [published(kind, scale) for kind in SHOWN for scale in (0, 1)] == [0.2145, 0.3045, 0.429, 0.4704]
    assert published("paired", 2) is published("paired", None) is None
    assert published("paired", 0, parts=4) is published("paired", 0, seconds=2) is None


def test_pictures_that_were_shown_too_long_are_counted(saved):
    given = [answer(0), answer(1, shown_ms=1201), answer(2, shown_ms=700), answer(3, shown_ms=1190)]
    assert badly_timed(read_answers(saved(answers(1, *given)))) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no answers of a study"),
        ("\udcff", "codec"),
        ("[1, 2", "holds no answers of a study"),
        ("[" * 50_000, "holds no answers of a study"),
        ("[]", "it is not an object of names and values"),
        ("{}", "it has no answers"),
        (" " * 100_001, "is over 100 kB"),
        (json.dumps(answers(1, answer(0))).replace("1003", "NaN"), "NaN is no number"),
        (json.dumps(answers(1, answer(0))).replace("1003", "1e999"), "shown_ms in answer 1 is inf"),
        (json.dumps(answers(1, answer(0))).replace("1003", "9" * 5000), "answers of a study"),
    ],
)
def test_files_that_are_no_answers_are_refused(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=message) as error:
        read_answers([path])
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "its format is 2, this singan reads 1"),
        ({"format_version": True}, "its format is True"),
        ({"study": "x"}, "study is 'x', not sixteen hexadecimal digits"),
        ({"participant": "0123456789abcdef\n"}, "participant is"),
        ({"participant": 3}, "participant is 3"),
        ({"seconds": "1"}, "seconds is '1', not a number"),
        ({"seconds": 0}, "seconds is 0, not a number from 0.05 to 60"),
        ({"parts": 2}, "parts is 2, not 1, 4 or 9"),
        ({"parts": [1]}, "parts is"),
        ({"answers": []}, "answers is not a list of 1 to 50"),
        ({"answers": {}}, "answers is not a list"),
        ({"answers": [answer(k) for k in range(51)]}, "answers is not a list of 1 to 50"),
        ({"answers": [answer(3), answer(3)]}, "it answers one item twice"),
        ({"answers": [3]}, "answer 1 is not an object"),
        ({"name": "Ann"}, "it has 'name'"),
    ],
)
def test_changed_files_are_refused(saved, change, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        read_answers(saved({**answers(1, answer(0)), **change}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "tripled"}, "kind in answer 2 is 'tripled', not paired or unpaired"),
        ({"kind": ["paired"]}, "kind in answer 2 is"),
        ({"shown": ["real"]}, "shown in answer 2 is ['real'], which is not paired"),
        ({"answer": ["real", "real"]}, "answer in answer 2 is ['real', 'real']"),
        ({"answer": None}, "answer in answer 2 is None"),
        ({"item": 60}, "item in answer 2 is 60, not a whole number from 0 to 59"),
        ({"item": 1.0}, "item in answer 2 is 1.0"),
        ({"item": True}, "item in answer 2 is True"),
        ({"method": ""}, "method in answer 2 is ''"),
        ({"model": "\x1b[2J"}, "model in answer 2 is"),
        ({"model": "m" * 301}, "not a line of at most 300 letters"),
        ({"start_scale": "0"}, "start_scale in answer 2 is '0'"),
        ({"variation": 1.5}, "variation in answer 2 is 1.5"),
        ({"shown_ms": -1}, "shown_ms in answer 2 is -1"),
        ({"reaction_ms": None}, "reaction_ms in answer 2 is None"),
        ({"right": True}, "answer 2 has 'right'"),
    ],
)
def test_changed_answers_are_refused(saved, change, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        read_answers(saved(answers(1, answer(0), {**answer(1), **change})))


def test_files_that_do_not_go_together_are_refused(saved):
    one = answers(1, answer(0))
    with pytest.raises(ConfigError, match="answers-1.json and .*answers-0.json are of one participant, 0{15}1"):
        read_answers(saved(one, one))
    with pytest.raises(ConfigError, match="is of study f{16}, .*answers-0.json of 0123456789abcdef"):
        read_answers(saved(one, answers(2, answer(0), study="f" * 16)))
    with pytest.raises(ConfigError, match="other seconds or parts"):
        read_answers(saved(one, answers(2, answer(0), seconds=2)))


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for k in range(3):
        picture(k, (150, 120)).save(folder / f"{k}.png")
    return sorted(folder.iterdir())


def test_page_is_made_of_photos_and_models(run, photos, tiny_model, tmp_path):
    model, out = tiny_model.save_pretrained(tmp_path / "tiny"), tmp_path / "new" / "page.html"
    code, text, err = run(*photos, model, "--out", out, "--seconds", "0.5", "--kind", "paired", "--max-side", "100")
    assert (code, err) == (0, "")
    assert "Note: Photographs: 4, each part shown once, so trials: 4." in text and "trials, photographs: 4" in text
    study = study_in(out.read_text("utf-8"))
    assert (study["kinds"], study["seconds"], study["parts"]) == (["paired"], 0.5, 1)
    versions = [version for item in study["items"] for version in item["versions"]]
    assert {(version["method"], version["model"]) for version in versions} == {
        ("draft", "0"), ("draft", "1"), ("draft", "2"), ("own settings", "tiny"),
    }  # fmt: skip
    code, _, err = run(*photos, "--out", out)
    assert code == 1 and "page.html exists" in err


def test_page_compares_models_with_pictures_of_other_programs(run, photos, tmp_path):
    for folder in ("real", "rival"):
        (tmp_path / folder).mkdir()
    for path in photos:
        Image.open(path).save(tmp_path / "real" / path.name)
        Image.open(path).rotate(180).save(tmp_path / "rival" / path.name)
    out = tmp_path / "page.html"
    code, text, _ = run(
        *photos, "--real", tmp_path / "real", "--generated", tmp_path / "rival", "--out", out, "--json", "--seed", "4"
    )
    result = json.loads(text)
    study = study_in(out.read_text("utf-8"))
    assert code == 0 and result["photographs"] == 3 and result["study"] == study["study"]
    assert all([v["method"] for v in item["versions"]] == ["draft", "rival"] for item in study["items"])


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        ([], 1, "There is nothing to show"),
        (["nowhere.png"], 1, "nowhere.png does not exist"),
        (["skyline", "--out", "page.txt"], 1, "page.txt must end in .html"),
        (["skyline", "--trials", "99"], 1, "trials is 99; it goes from 1 to 50."),
        (["skyline", "--start-scale", "1"], 1, "skyline: start_scale is 1; this model starts at scale 0 alone."),
        (["skyline", "skyline"], 1, "Two models of fast are called skyline"),
        (["skyline", "--real", "."], 2, "--real and --generated go together"),
        (["skyline", "--each-model"], 2, "it goes with --score"),
        (["--score"], 2, "give the files that the page saved"),
        (["a.json", "--score", "--seconds", "1"], 2, "it goes with making a page, not with --score"),
        (["a.json", "--score"], 1, "a.json is no file"),
    ],
)
def test_wrong_use_is_one_line(run, tmp_path, monkeypatch, args, code, message):
    monkeypatch.chdir(tmp_path)
    got, out, err = run(*args)
    assert (got, out) == (code, "") and message in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_score_prints_a_table(run, saved):
    files = saved(*(answers(k, answer(0, wrong=k < 2), answer(1, "unpaired", model="waves")) for k in range(5)))
    code, out, err = run("--score", *files)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "Study 0123456789abcdef, participants: 5; whole pictures, 1 s each"
    assert len(lines) == 4 and lines[2].split()[:8] == ["paired", "fast", "0", "0.5", "5", "5", "2", "40.0%"]
    assert "11.8% to 76.9%" in lines[2] and lines[2].endswith("21.45%")
    each = run("--score", *files, "--each-model")[1].splitlines()
    assert each[2].split()[:3] == ["paired", "fast", "skyline"] and each[3].split()[:3] == ["unpaired", "fast", "waves"]
    result = json.loads(run("--score", *files, "--json")[1])
    assert result["participants"] == 5 and result["confusion"][0]["confusion"] == 0.4
    assert result["confusion"][1]["real_doubted"] == [0, 5] and result["models"][1]["model"] == "waves"


def test_score_notes_pictures_that_were_shown_for_another_time(run, saved):
    files = saved(answers(1, answer(0, shown_ms=2000)))
    assert "Note: 1 answers are to pictures shown for too long" in run("--score", *files)[1]

"""Animations as files, read back with Pillow and ffmpeg."""

import sys
import weakref

import numpy as np
import pytest
from PIL import Image, ImageSequence

from singan.errors import ConfigError
from singan.tasks import video

KINDS = [".gif", ".webp", ".mp4"]


def picture(number: int, size=(64, 48)) -> Image.Image:
    """A soft gradient with a bright bar that moves: every frame differs clearly, and compresses well."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x * 200 // width, y * 200 // height, np.full_like(x, 60)], axis=2).astype(np.uint8)
    pixels[:, 6 * number + 4 : 6 * number + 12] = (230, 220, 40)
    return Image.fromarray(pixels)


def write(path, frames, fps=10.0):
    if path.suffix == ".mp4":
        pytest.importorskip("imageio_ffmpeg")
    video.writer(path)(path, frames, fps)
    return path


def read(path) -> list[np.ndarray]:
    if path.suffix == ".mp4":
        import imageio.v2 as imageio

        with imageio.get_reader(path, format="FFMPEG") as file:
            return [np.asarray(frame) for frame in file]
    with Image.open(path) as file:
        return [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(file)]


@pytest.mark.parametrize("kind", KINDS)
def test_frames_come_back_in_order_and_look_the_same(tmp_path, kind):
    frames = [picture(k) for k in range(5)]
    back = read(write(tmp_path / f"a{kind}", iter(frames)))
    assert len(back) == 5
    for k, shown in enumerate(back):
        errors = [np.abs(shown.astype(float) - np.asarray(frame, float)).mean() for frame in frames]
        assert int(np.argmin(errors)) == k and errors[k] < 6


@pytest.mark.parametrize("kind", [".gif", ".webp"])
@pytest.mark.parametrize(("fps", "milliseconds"), [(10, 100), (4, 250), (25, 40), (1, 1000), (50, 20)])
def test_every_frame_is_shown_as_long_as_asked_and_for_ever(tmp_path, kind, fps, milliseconds):
    path = write(tmp_path / f"a{kind}", map(picture, range(3)), fps)
    with Image.open(path) as file:
        assert file.info["loop"] == 0  # without end
        durations = []
        for k in range(file.n_frames):
            file.seek(k)
            file.load()
            durations.append(file.info["duration"])
    assert durations == [milliseconds] * 3


@pytest.mark.parametrize("fps", [1, 10, 23.5, 60])
def test_mp4_has_the_rate_asked_for(tmp_path, fps):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    path = write(tmp_path / "a.mp4", map(picture, range(4)), fps)
    reader = ffmpeg.read_frames(str(path))
    facts = next(reader)
    reader.close()
    assert facts["fps"] == pytest.approx(fps, rel=0.01) and facts["duration"] == pytest.approx(4 / fps, abs=0.006)
    assert facts["codec"] == "h264" and facts["pix_fmt"].startswith("yuv420p")  # what browsers and phones play


@pytest.mark.parametrize("size", [(64, 48), (65, 48), (64, 47), (33, 25)])
@pytest.mark.parametrize("kind", KINDS)
def test_size_is_kept_and_made_even_for_mp4(tmp_path, kind, size):
    back = read(write(tmp_path / f"a{kind}", [picture(0, size), picture(1, size)]))
    width, height = size if kind != ".mp4" else (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert {frame.shape for frame in back} == {(height, width, 3)}


def test_odd_sides_double_their_last_row_and_column():
    frame = picture(0, (33, 25))
    even, pixels = video._even(frame), np.asarray(frame)
    assert even.shape == (26, 34, 3) and np.array_equal(even[:25, :33], pixels)
    assert np.array_equal(even[25, :33], pixels[24]) and np.array_equal(even[:25, 33], pixels[:, 32])


def test_still_frames_are_all_kept(tmp_path):
    """Frames that do not change are frames nevertheless, not one long one."""
    for kind in (".gif", ".webp"):
        assert len(read(write(tmp_path / f"a{kind}", [picture(0)] * 4))) == 4


@pytest.mark.parametrize("colours", [1, 2, 3, 20, 130, 256])
def test_gif_of_few_colours_is_kept_nearly_to_the_last_level(tmp_path, colours):
    """Each frame brings as large a palette as it needs."""
    levels = (np.arange(48 * 64).reshape(48, 64) % colours * (256 // colours)).astype(np.uint8)
    frames = [Image.fromarray(levels).convert("RGB"), Image.fromarray(levels[::-1, ::-1].copy()).convert("RGB")]
    frames[1].info = {"transparency": 0, "comment": b"not for the file", "duration": 7}
    back = read(write(tmp_path / "a.gif", frames, 10))
    assert len(back) == 2
    for shown, frame in zip(back, frames, strict=True):
        assert np.abs(shown.astype(int) - np.asarray(frame)).max() <= 8


def test_webp_is_the_container_it_claims_to_be(tmp_path):
    """By the specification: sizes of all chunks, evenly padded, add up to that of the file."""
    data = write(tmp_path / "a.webp", map(picture, range(3)), 10).read_bytes()
    assert data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    at, names = 12, []
    while at < len(data):
        names.append(data[at : at + 4])
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    assert at == len(data) and names == [b"VP8X", b"ANIM", b"ANMF", b"ANMF", b"ANMF"]


@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_written_as_they_come_and_not_collected(tmp_path, kind):
    """However long the animation, only a few frames are alive at a time."""
    alive, most = [], []

    def frames():
        for k in range(40):
            frame = picture(k % 8)
            alive.append(weakref.ref(frame))
            yield frame
            del frame
            most.append(sum(one() is not None for one in alive))

    write(tmp_path / f"a{kind}", frames())
    assert len(most) == 40 and max(most) <= 3


@pytest.mark.parametrize("kind", KINDS)
def test_error_between_two_frames_gets_through(tmp_path, kind):
    def frames():
        yield picture(0)
        yield picture(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write(tmp_path / f"a{kind}", frames())


@pytest.mark.parametrize("name", ["a.avi", "a", "gif", "a.gif.png"])
def test_unknown_ending_is_refused_with_those_known(tmp_path, name):
    with pytest.raises(ConfigError, match=rf"^{name} has no ending that .*: use \.gif, \.webp or \.mp4\.$"):
        video.writer(tmp_path / name)


def test_ending_may_be_in_capitals(tmp_path):
    assert video.writer(tmp_path / "A.GIF") is video.write_gif


def test_mp4_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)  # an import of it now fails
    with pytest.raises(ConfigError, match=r"pip install imageio-ffmpeg\), or write \.gif or \.webp"):
        video.writer(tmp_path / "a.mp4")
    assert video.writer(tmp_path / "a.webp") is video.write_webp


@pytest.mark.parametrize(("kind", "longest"), [(".gif", 65_535), (".webp", 16_383)])
def test_side_that_a_kind_cannot_have_is_said(tmp_path, kind, longest):
    path = tmp_path / f"a{kind}"
    with pytest.raises(ConfigError, match=f"ends at {longest} px a side: write another kind, or smaller"):
        video.writer(path)(path, [Image.new("RGB", (longest + 1, 1))], 10)

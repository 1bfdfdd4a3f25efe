"""Links that open the page with the same samples."""

import shutil
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import parse_qsl

import gradio as gr
import pytest

from singan import ConfigError
from singan.ui import link, sample
from singan.ui.shelf import Own, Shelf

GOOD = {"model": "green-field", "seed": "7", "variation": "0.3", "number": "2", "flips": "True", "rising": "False"}


@pytest.fixture
def shelf(pretrained):
    return Shelf(pretrained)


def opened_by(query):
    return SimpleNamespace(query_params=query)


@pytest.fixture
def drawn(shelf, tmp_path):
    """A function that draws samples as the tab does; gives them as its gallery has them."""

    def drawn(pyramid="green-field", shelf=shelf, **settings):
        kept = []
        for pictures, _ in sample.sample(shelf, pyramid, **settings):
            kept.append((shutil.copy(pictures[-1][0], tmp_path), pictures[-1][1]))  # as gradio does
        return kept

    return drawn


def test_link_opens_the_samples_that_it_was_made_of(shelf, drawn):
    for seed, number, flips, rising in ((2**53 - 3, 3, False, True), (7, 2, True, False)):
        settings = {"number": number, "variation": 0.35, "flips": flips, "rising": rising}
        box = link.make_link(shelf, drawn(seed=seed, **settings))
        opened = link.linked(shelf, dict(parse_qsl(box["value"])))
        assert opened == ("green-field", seed, 0.35, number, flips, rising) and box["visible"]


@pytest.mark.parametrize("more", [{"tile": "x"}, {"mirror": "y"}, {"height": 60}])
def test_samples_that_a_link_would_open_otherwise_have_none(shelf, drawn, more):
    with pytest.raises(gr.Error, match="A link holds no size, tile, mirror image or start scale: draw samples without"):
        link.make_link(shelf, drawn(number=1, **more))
    with pytest.raises(gr.Error, match="There are no samples yet: draw some first"):
        link.make_link(shelf, None)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "gone"},
        {"model": "../blue"},
        {"model": ""},
        {"seed": "-1"},
        {"seed": str(2**53)},
        {"seed": "9" * 5000},
        {"seed": "x"},
        {"seed": None},
        {"variation": "1.01"},
        {"variation": "nan"},
        {"variation": "inf"},
        {"number": "0"},
        {"number": "17"},
        {"number": "2.5"},
        {"flips": "1"},
        {"rising": "yes"},
    ],
)
def test_address_that_is_no_link_is_told_and_opens_nothing(shelf, change):
    query = {name: text for name, text in (GOOD | change).items() if text is not None}
    with pytest.raises(ConfigError, match="The address is no link of this app"):
        link.linked(shelf, query)
    with pytest.raises(gr.Error, match="The address is no link of this app"):
        link.open_link(shelf, "blue", opened_by(query))
    assert not link.is_linked(shelf, opened_by(query))  # and the page draws as without it


def test_address_without_a_link_changes_nothing(shelf):
    assert link.open_link(shelf, "blue", opened_by({"__theme": "dark"})) == (gr.skip(),) * 11
    assert not link.is_linked(shelf, opened_by({})) and not link.is_linked(shelf, None)


def test_linked_model_is_chosen_or_drawn_anew_and_the_settings_are_set(shelf):
    samples, name, renewed, mark, *settings = link.open_link(shelf, "blue", opened_by(GOOD))
    assert (samples, name, renewed, mark["selected_index"]) == (None, "green-field", gr.skip(), 1)
    assert settings == [7, False, 0.3, False, True, 2, (shelf.load("green-field").config.usual_variation, True)]
    older = {name: text for name, text in GOOD.items() if name != "flips"}  # a link from before there were any
    _, name, renewed, _, *settings = link.open_link(shelf, "green-field", opened_by(older))
    assert settings[3:5] == [False, False]
    assert name == gr.skip() and len(renewed) == 16


def test_model_of_ones_own_has_no_link(shelf, drawn):
    mine = replace(shelf, own={"mine": Own(shelf.load("blue"))})
    with pytest.raises(gr.Error, match="A link holds no photo"):
        link.make_link(mine, drawn("mine", shelf=mine, number=1))

"""How the app looks: theme, style sheet, introduction, progress bar and loss curves."""

from __future__ import annotations

import math
import re
from html import escape, unescape

import gradio as gr
import numpy as np

from singan.training.events import TrainEvent

INTRO = """
<header id="intro">
  <h1>SinGAN</h1>
  <p>Draws new pictures of the kind of one photo, at its full size: in two seconds from the photo alone, better once
  its layout is learned, which takes ten seconds. Upload a photo of yours, or choose one.
  <a href="https://arxiv.org/abs/1905.01164" target="_blank" rel="noopener">Paper</a></p>
</header>
"""

THEME = gr.themes.Base(
    primary_hue="teal",
    secondary_hue="amber",
    neutral_hue="stone",
    radius_size="lg",
    text_size="md",
    # gradio 6.31 brings of weight 600 some letters only, and the browser would take the others from another font
    font=[gr.themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "ui-sans-serif", "system-ui", "sans-serif"],
).set(
    body_background_fill="*neutral_100",
    body_background_fill_dark="*neutral_950",
    block_background_fill="white",
    block_background_fill_dark="*neutral_900",
    block_border_width="0px",
    block_shadow="0 1px 3px rgb(0 0 0 / .08)",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_600",
    button_primary_background_fill_hover_dark="*primary_500",
    button_primary_text_color="white",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_400",
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_400",
    color_accent="*primary_700",
    link_text_color="*primary_700",
    link_text_color_hover="*primary_800",
    link_text_color_dark="*primary_400",
    link_text_color_hover_dark="*primary_300",
    slider_color="*primary_700",
    slider_color_dark="*primary_500",
)

CSS = """
.gradio-container { width: 100%; max-width: 1180px !important; margin: 0 auto !important; }
footer .divider { display: none; }
.gradio-container input:is([type=checkbox], [type=radio], [type=range]):focus-visible {
  outline: 3px solid var(--color-accent) !important; outline-offset: 2px; }
.dark { --color-accent: var(--primary-400); }
#intro h1 { font-size: 2rem; font-weight: 700; margin: 0; letter-spacing: -.02em; }
#intro p { margin: .25rem 0 0; max-width: 46rem; }
#intro a { color: var(--link-text-color); text-decoration: underline; }

/* Galleries grow with their pictures, which keep their shape. */
.grow .grid-wrap { min-height: 0 !important; max-height: none !important; height: auto !important; }
#samples .grid-container { padding-top: 0 !important; }
#samples .caption-label { white-space: normal; }
#sources img { border: 1px solid var(--border-color-primary); }
.grow .grid-container { grid-auto-rows: auto !important; align-items: start; }
.grow .thumbnail-item { aspect-ratio: auto !important; height: auto !important; }
.grow img { height: auto !important; }
#scales .grid-container { padding-top: 1.5rem !important;
  grid-template-columns: repeat(auto-fill, minmax(118px, 1fr)) !important; }
#pyramids .thumbnail-item { aspect-ratio: 4 / 3 !important; }
#pyramids img { height: 100% !important; }
#pyramids .caption-label { font-size: .65rem; padding: 0 .3rem; right: .2rem; bottom: .2rem;
  max-width: calc(100% - .4rem); white-space: normal; overflow-wrap: anywhere; line-height: 1.25; }
#pyramids .selected { outline: 3px solid var(--primary-600); outline-offset: -3px; }
#now img { width: 100%; height: 100%; object-fit: contain; }
#now img, #scales img { image-rendering: pixelated; }

/* One grid of cards: the upload is the first one, and the models follow. */
#top { display: grid; position: relative; gap: .5rem; padding: .5rem; border-radius: var(--block-radius);
  grid-template-columns: repeat(auto-fill, minmax(118px, 1fr));
  background: var(--block-background-fill); box-shadow: var(--block-shadow); }
:is(#pyramids, #pyramids .gallery-container, #pyramids .grid-wrap, #pyramids .grid-container) {
  display: contents !important; }
#pyramids .gallery-item { min-width: 0; }
#your-photo { aspect-ratio: 4 / 3; height: auto !important; min-width: 0 !important; border-radius: var(--radius-lg);
  border: 2px dashed var(--color-accent) !important; box-shadow: none; }
#your-photo > :not(button), #your-photo button .wrap * { display: none; }
#your-photo > button { height: 100% !important; min-height: 0; border: 0; }
#your-photo button .wrap { padding: 0; min-height: 0; font-size: 0; color: var(--color-accent); }
#your-photo button .wrap::before { content: "+"; font-size: 1.8rem; line-height: 1; }
#your-photo button .wrap::after, #your-photo:not(:has(> button))::after { content: "Your photo"; font-size: .8rem; }
#your-photo:not(:has(> button))::after { content: "Reading …"; height: 100%; display: grid; place-items: center; }
#said { padding: 0 .75rem; margin: -.4rem 0; }
#said button { all: unset; color: var(--link-text-color); text-decoration: underline; cursor: pointer; }
#said button:focus-visible { outline: 3px solid var(--color-accent); outline-offset: 2px; }

/* There is something to go on with once it is shown. */
.block:not(.pair, .grow) + .chain, .grow:not(:has(img)) + .form + .chain,
.block:not(.pair) + .chain + .form:has(> .goes) { display: none; }

/* Strips of scales and examples have their label above the pictures; results are shown large. */
.strip .grid-container, .examples .grid-container { padding-top: 1.5rem !important;
  grid-template-columns: repeat(auto-fill, minmax(100px, 1fr)) !important; }
.examples .grid-container { grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)) !important; }
.strip .thumbnail-item, .examples .thumbnail-item { cursor: pointer; }
.strip .caption-label, .examples .caption-label { font-size: .7rem; padding: 0 .4rem; }
:is(#animation, #map) :is(.image-container > button, .image-frame, img) { width: 100%; object-fit: contain; }

/* A toast says what is wrong, and what is there stays. */
:is(#status, #samples, #pyramids) .wrap:has(> .error) { display: none !important; }
/* How far a run is stays in sight of the button that began it, however tall the other column is. */
.gradio-container { overflow: clip !important; }
.column:has(> .status) { align-self: stretch; }
.status { position: sticky; top: .5rem; z-index: 20; } /* captions have 10 */
.run p { margin: .25rem 0; font-variant-numeric: tabular-nums; }
.run .note { opacity: .75; }
.run progress { width: 100%; height: .5rem; border: 0; border-radius: 1rem; overflow: hidden; appearance: none;
  background: var(--border-color-primary); }
.run progress::-webkit-progress-bar { background: var(--border-color-primary); }
.run progress::-webkit-progress-value { background: var(--primary-600); }
.run progress::-moz-progress-bar { background: var(--primary-600); }

.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(250px, 1fr)); gap: 1rem; }
.curves figure { margin: 0; }
.curves figcaption { font-size: .85rem; display: flex; flex-wrap: wrap; gap: 0 .9rem; margin-bottom: .25rem; }
.curves .plot { display: grid; grid-template-columns: 2.6rem 1fr; }
.curves .range { display: flex; flex-direction: column; justify-content: space-between; font-size: .7rem;
  opacity: .75; text-align: right; padding-right: .3rem; }
.curves svg { width: 100%; height: 120px; display: block; border: solid var(--border-color-primary);
  border-width: 0 0 1px 1px; }
.curves path { fill: none; stroke-width: 1.6; vector-effect: non-scaling-stroke; }
.curves line { stroke: currentColor; opacity: .35; stroke-dasharray: 2 3; vector-effect: non-scaling-stroke; }
.curves .c0 { stroke: var(--primary-600); color: var(--primary-700); }
.curves .c1 { stroke: var(--secondary-500); color: var(--secondary-700); }
.dark .curves .c0 { color: var(--primary-400); }
.dark .curves .c1 { color: var(--secondary-400); }

@media (max-width: 600px) {
  .gradio-container .app { padding: .75rem !important; }
  .first-on-phones { order: -1; }
  #top, #scales .grid-container { grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)) !important; }
  #samples .grid-container { grid-template-columns: repeat(2, 1fr) !important; }
}
"""

# For screen readers: gradio calls each picture of a gallery by its number, and each upload alike.
NAMES = """<script>{
  const name = (element, text) => text && element.ariaLabel !== text && element.setAttribute('aria-label', text);
  const tell = () => {
    for (const one of document.querySelectorAll('.thumbnail-item')) name(one, one.querySelector('img')?.alt);
    for (const one of document.querySelectorAll('#pyramids .thumbnail-item'))
      one.setAttribute('aria-pressed', one.classList.contains('selected'));
    for (const one of document.querySelectorAll('#your-photo > button')) name(one, 'Your photo');
  };
  const attributeFilter = ['aria-label', 'alt', 'class'];
  new MutationObserver(tell).observe(document, { subtree: true, childList: true, attributeFilter });
}</script>"""

# Where the page will have them, in plain HTML: see `page.py`.
FIRST_LOOK_CSS = """
#first-look { position: absolute; inset: 0 0 auto; box-sizing: border-box; max-width: 1180px; margin: 0 auto;
  padding: 26px 32px; line-height: 1.5; }
body:has(#samples img) #first-look { display: none; }
gradio-app .wrap:has(> .loading) { visibility: hidden; }
#first-look h1 { font-size: 2rem; line-height: 42px; margin: 0 12px; letter-spacing: -.02em; }
#first-look p { margin: 0 12px; max-width: 46rem; font-size: .9rem; line-height: 1.66; }
#first-look a { color: inherit; }
#first-look .cards { display: grid; gap: .5rem; padding: .5rem; margin-top: 3px;
  grid-template-columns: repeat(auto-fill, minmax(118px, 1fr)); }
#first-look .cards > * { width: 100%; aspect-ratio: 4 / 3; object-fit: cover; border-radius: 8px;
  box-sizing: border-box; }
#first-look i { border: 2px dashed #0f766e; color: #0f766e; display: grid; place-items: center; font: 1.8rem Arial; }
#first-look .samples { display: grid; gap: .5rem; grid-template-columns: repeat(3, 1fr); margin: 110px 0 0 291px;
  padding: .5rem; }
#first-look .samples img { width: 100%; border-radius: 8px; }
@media (max-width: 600px) {
  #first-look .cards { grid-template-columns: repeat(auto-fill, minmax(84px, 1fr)); }
  #first-look .samples { grid-template-columns: repeat(2, 1fr); margin: 156px 0 0; }
}
"""

PLOTS = {  # caption -> (key of TrainEvent.losses, name in the legend)
    "Critic": (("critic_real", "D(x)"), ("critic_fake", "D(G(z))")),
    "Reconstruction error": (("reconstruction", "RMSE of 255"),),
}


def run_status(text: str, done: float | None, notes: list[str]) -> str:
    """A line of text, a progress bar (`done` in [0, 1]; None: no bar), and what was said of the photo."""
    bar = "" if done is None else f'<progress value="{done:.4f}" aria-label="{escape(text)}"></progress>'
    said = "".join(f'<p class="note">Note: {escape(note)}</p>' for note in notes)
    return f'<div class="run" aria-live="polite"><p>{escape(text)}</p>{bar}{said}</div>'


def status_text(text: str) -> str:
    """What a status line says, without its HTML; any other text as it is."""
    if not text.startswith('<div class="run"'):
        return text
    return unescape(" ".join(re.sub("<[^>]*>", " ", text).split()))


STARTING = run_status("Starting", 0, [])
STOPPED = run_status("Stopped; nothing is kept.", None, [])


def note(text: str) -> str:
    """A line of HTML that is read out when it changes."""
    return f'<p aria-live="polite">{text}</p>'


class Curves:
    """The losses of one run, drawn over all of its steps; steps that share a point are averaged."""

    POINTS = 240

    def __init__(self) -> None:
        keys = [key for plot in PLOTS.values() for key, _ in plot]
        self.sums = {key: np.zeros(self.POINTS) for key in keys}
        self.counts = np.zeros(self.POINTS)
        self.starts: list[int] = []  # points at which a scale begins
        self.last: dict[str, float] = {}

    def add(self, event: TrainEvent) -> None:
        """Take in the losses of a step."""
        if event.kind != "step" or not all(math.isfinite(event.losses[key]) for key in self.sums):
            return
        point = min(self.POINTS - 1, event.total_step * self.POINTS // max(1, event.total_steps))
        if event.step == 1:
            self.starts.append(point)
        for key, sums in self.sums.items():
            sums[point] += event.losses[key]
        self.counts[point] += 1
        self.last = event.losses

    def html(self) -> str:
        """One figure for each of `PLOTS`; colours are the theme's."""
        if not self.last:
            return ""
        return f'<div class="curves">{"".join(map(self._figure, PLOTS))}</div>'

    def _figure(self, caption: str) -> str:
        where = np.flatnonzero(self.counts)
        values = [self.sums[key][where] / self.counts[where] for key, _ in PLOTS[caption]]
        low, high = np.quantile(values, [0.01, 0.99])  # one spike shall not flatten the rest
        span = max(high - low, 1e-9)
        paths = legend = ""
        for k, (key, name) in enumerate(PLOTS[caption]):
            heights = 96 - 92 * np.clip((values[k] - low) / span, 0, 1)
            line = " ".join(f"{x} {y:.1f}" for x, y in zip(where, heights, strict=True))
            paths += f'<path class="c{k}" d="M{line}"/>'
            legend += f'<span class="c{k}">{name} {self.last[key]:.2f}</span>'
        marks = "".join(f'<line x1="{x}" x2="{x}" y1="0" y2="100"/>' for x in self.starts)
        return (
            f"<figure><figcaption><b>{caption}</b>{legend}</figcaption>"
            f'<div class="plot"><div class="range"><span>{high:.3g}</span><span>{low:.3g}</span></div>'
            f'<svg viewBox="0 0 {self.POINTS} 100" preserveAspectRatio="none" role="img" '
            f'aria-label="{caption} over the steps; dashed lines: a scale begins">{marks}{paths}</svg>'
            "</div></figure>"
        )


def build_gallery(label: str, columns: int, name: str) -> gr.Gallery:
    """Where results are shown side by side, and downloaded at full size."""
    return gr.Gallery(
        label=label,
        type="filepath",
        format="png",
        columns=columns,
        show_label=False,
        buttons=["download", "download_all", "fullscreen"],
        interactive=False,
        elem_id=name,
        elem_classes="grow",
    )

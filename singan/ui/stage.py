"""Objects that are dragged over a picture: the page says where they are, the server puts them there at full size."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from gradio.data_classes import FileData
from gradio.processing_utils import save_pil_to_cache
from PIL import Image

from singan.errors import ConfigError, ImageError, one_line
from singan.limits import Limits
from singan.ui import canvas
from singan.ui.editor import derived, open_object
from singan.ui.uploads import folder_of_uploads

MAX_OBJECTS = 8
MAX_SIDE = 2048  # at which an object is kept: no canvas here has a shorter side as long as that
VIEW_SIDE = 1024  # of the picture under the objects, which is only looked at
SIZES = (2.0, 150.0)  # of an object's longer side, in percent of the picture's shorter one
START = 35.0  # the size of a new one
HOW = (
    "Drag it to its place. Its corner, the mouse wheel or two fingers change its size; so do the keys + and -, "
    "and the arrow keys move it."
)

TEMPLATE = f"""<div class="scene" role="application" aria-label="Objects on the picture"></div>
<div class="tools"><button type="button" data-do="smaller">Smaller</button><button type="button" data-do="larger">
Larger</button><button type="button" data-do="remove">Remove</button></div>
<p class="how">{HOW}</p><output class="said" aria-live="polite"></output>"""

CSS = """
.scene { position: relative; overflow: hidden; touch-action: pan-y; user-select: none; border-radius: .5rem;
  max-width: 100%; margin: 0 auto; }
.scene > img { width: 100%; display: block; }
.thing { position: absolute; transform: translate(-50%, -50%); touch-action: none; cursor: move; }
.thing img { width: 100%; height: 100%; display: block; pointer-events: none; }
.thing.chosen { outline: 2px dashed #fff; box-shadow: 0 0 0 2px #0008; }
.thing:focus-visible { outline: 3px solid #fff; box-shadow: 0 0 0 3px #000; }
.grip { position: absolute; right: -11px; bottom: -11px; width: 22px; height: 22px; border-radius: 50%;
  background: #fff; border: 3px solid #0f766e; cursor: nwse-resize; display: none; }
.chosen .grip { display: block; }
.tools { display: flex; gap: .5rem; margin: .6rem 0 .2rem; }
.tools button { flex: 1; margin: 0 !important; padding: .35rem .5rem; border-radius: .5rem; font: inherit;
  font-size: .8rem;
  background: var(--button-secondary-background-fill); color: var(--button-secondary-text-color); }
.how { margin: 0; font-size: .8rem; color: var(--body-text-color-subdued); }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
"""

# A thing is {picture, x, y, size}: its centre in percent of the way across and down, its longer side in percent of the
# picture's shorter one. What is dragged is moved here at once, and told to the server when a call asks for it.
SCRIPT = (
    f"const [SMALL, LARGE] = {list(SIZES)};"
    + """
const scene = element.querySelector('.scene'), said = element.querySelector('.said');
const bounded = (x, low, high) => Math.min(high, Math.max(low, x));
let things = [], chosen = -1, shown = null;
let held = null;  // {k, grip, from, spread}
const fingers = new Map();

function fit(k) {
  const { box, x, y, size } = things[k], picture = box.firstChild, ground = scene.firstChild;
  if (!picture.naturalWidth || !ground.naturalWidth) return;
  const [W, H, w, h] = [ground.naturalWidth, ground.naturalHeight, picture.naturalWidth, picture.naturalHeight];
  const factor = size * Math.min(W, H) / Math.max(w, h);
  box.style.cssText = `left:${x}%;top:${y}%;width:${factor * w / W}%;height:${factor * h / H}%`;
}
function choose(k) {
  chosen = k;
  things.forEach((thing, i) => thing.box.classList.toggle('chosen', i === k));
  for (const button of element.querySelectorAll('.tools button')) button.disabled = k < 0;
}
function change(k, x, y, size) {
  Object.assign(things[k], { x: bounded(x, 0, 100), y: bounded(y, 0, 100), size: bounded(size, SMALL, LARGE) });
  fit(k);
}
function tell() {
  props.value = { ...shown, things: things.map(({ picture, x, y, size }) => ({ picture, x, y, size })) };
  shown = props.value;
  if (chosen < 0) return;
  const [x, y, size] = ['x', 'y', 'size'].map(name => Math.round(things[chosen][name]));
  said.textContent = `Object ${chosen + 1}: ${x}% across, ${y}% down, size ${size}%`;
}
function remove(k) {
  things.splice(k, 1);
  chosen = -1;
  tell();
  draw();
  said.textContent = `Object ${k + 1} is gone`;
}
function scale(k, factor) {
  if (k < 0) return;
  change(k, things[k].x, things[k].y, things[k].size * factor);
  tell();
}
function press(k, event) {
  const { x, y, size } = things[k], step = event.shiftKey ? 5 : 1;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  if (moves[event.key]) { change(k, x + moves[event.key][0], y + moves[event.key][1], size); tell(); }
  else if (event.key === '+' || event.key === '=') scale(k, 1.1);
  else if (event.key === '-') scale(k, 1 / 1.1);
  else if (event.key === 'Delete' || event.key === 'Backspace') remove(k);
  else return;
  event.preventDefault();
}
function build(thing, k) {
  const box = document.createElement('div'), picture = new Image(), grip = document.createElement('span');
  box.className = 'thing';
  box.tabIndex = 0;
  box.setAttribute('role', 'img');
  const keys = 'arrow keys move it, plus and minus change its size, Delete removes it';
  box.setAttribute('aria-label', `Object ${k + 1}: ${keys}`);
  grip.className = 'grip';
  picture.alt = '';
  picture.draggable = false;
  picture.onload = () => fit(k);
  box.append(picture, grip);
  box.onfocus = () => choose(k);
  box.onkeydown = event => press(k, event);
  box.addEventListener('wheel', event => { event.preventDefault(); scale(k, Math.exp(-event.deltaY / 600)); },
    { passive: false });
  Object.assign(thing, { box });
  scene.append(box);
  picture.src = thing.picture.url;
}
function draw() {
  const ground = new Image();
  ground.alt = 'The picture that the objects are put on';
  ground.draggable = false;
  ground.onload = () => things.forEach((_, k) => fit(k));
  scene.replaceChildren(ground);
  things.forEach(build);
  ground.src = shown.picture.url;
  choose(things.length - 1);
}
function take() {
  if (!props.value) [things, chosen] = [[], -1];
  if (!props.value || props.value === shown) return;
  shown = props.value;
  const before = things;  // which may have been moved while the server answered
  things = shown.things.map((thing, k) => {
    const same = before[k]?.picture.url === thing.picture.url;
    return { ...thing, ...(same ? { x: before[k].x, y: before[k].y, size: before[k].size } : {}) };
  });
  fingers.clear();
  held = null;
  draw();
}

// One finger moves a thing, or its size by the grip; two change its size.
const centre = box => { const at = box.getBoundingClientRect(); return [at.x + at.width / 2, at.y + at.height / 2]; };
const spread = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
function begin(finger, grip) {
  const { x, y, size } = things[chosen];
  held = { k: chosen, grip, finger, x, y, size, spread: fingers.size === 2 ? spread() : 0 };
}
scene.addEventListener('pointerdown', event => {
  const k = things.findIndex(({ box }) => box.contains(event.target));
  if (k < 0 && !held) return;
  if (k >= 0 && !held) { choose(k); things[k].box.focus({ preventScroll: true }); }
  event.preventDefault();
  if (fingers.size === 2) return;
  scene.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  begin({ x: event.clientX, y: event.clientY }, event.target.className === 'grip');
});
scene.addEventListener('pointermove', event => {
  if (!held || !fingers.has(event.pointerId)) return;
  fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  const { k, finger, x, y, size } = held, ground = scene.getBoundingClientRect();
  if (fingers.size === 2) return change(k, x, y, size * spread() / Math.max(1, held.spread));
  if (held.grip) {
    const [cx, cy] = centre(things[k].box), far = (x, y) => Math.hypot(x - cx, y - cy);
    return change(k, x, y, size * far(event.clientX, event.clientY) / Math.max(1, far(finger.x, finger.y)));
  }
  const [across, down] = [(event.clientX - finger.x) / ground.width, (event.clientY - finger.y) / ground.height];
  change(k, x + 100 * across, y + 100 * down, size);
});
for (const ended of ['pointerup', 'pointercancel']) scene.addEventListener(ended, event => {
  if (!fingers.delete(event.pointerId)) return;
  const [rest] = fingers.values();
  if (rest) begin(rest, false); else { held = null; tell(); }
});
const tools = { smaller: k => scale(k, 1 / 1.15), larger: k => scale(k, 1.15), remove };
element.querySelector('.tools').addEventListener('click', event => tools[event.target.dataset.do]?.(chosen));
watch('value', take);
take();
"""
)


class Placed(NamedTuple):
    """An object on the picture: the file that was made of what was uploaded, and its place as `canvas.paste` has it."""

    file: str
    x: float = 50.0
    y: float = 50.0
    size: float = START


class Scene(NamedTuple):
    """What is seen on the stage: the picture's file, and what was put on it."""

    picture: str
    things: list[Placed]


def _read(self: gr.HTML, payload: Any) -> Scene | None:
    """What a page says of its objects. Raises `gr.Error`: it may say anything."""
    if payload in (None, ""):  # as a page sends that there are none
        return None
    try:
        things = payload["things"]
        if not isinstance(things, list) or len(things) > MAX_OBJECTS:
            raise ValueError
        return Scene(_path(payload), [_placed(thing) for thing in things])
    except (TypeError, KeyError, ValueError):
        raise gr.Error("That is no object on a picture: reload the page.", print_exception=False) from None


def _placed(thing: dict[str, Any]) -> Placed:
    numbers = [thing[name] for name in ("x", "y", "size")]
    limits = ((0.0, 100.0), (0.0, 100.0), SIZES)
    for number, (low, high) in zip(numbers, limits, strict=True):
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not low <= number <= high:
            raise ValueError
    return Placed(_path(thing), *map(float, numbers))


def _path(thing: dict[str, Any]) -> str:
    """The file of a picture, which is one of those that gradio serves: a page may name any."""
    path = Path(thing["picture"]["path"]).resolve()
    if not path.is_relative_to(folder_of_uploads().resolve()):
        raise ValueError
    return str(path)


def _write(self: gr.HTML, scene: Scene | None) -> dict[str, Any] | None:
    """The files as the page fetches them."""
    if scene is None:
        return None
    things = [{"picture": _file(file), "x": x, "y": y, "size": size} for file, x, y, size in scene.things]
    return {"picture": _file(scene.picture), "things": things}


def _file(path: str) -> dict[str, Any]:
    return FileData(path=path).model_dump()


Stage = derived(gr.HTML, preprocess=_read, postprocess=_write)


def build_stage(name: str) -> gr.HTML:
    """Where objects are dragged over a picture; nothing is seen before there is one."""
    return Stage(
        html_template=TEMPLATE,
        css_template=CSS,
        js_on_load=SCRIPT,
        visible=False,
        container=True,
        padding=True,
        elem_id=name,
    )


def add(scene: Scene | None, ground: Image.Image, path: str | None, limits: Limits) -> Scene:
    """The scene, or a new one on `ground`, with an uploaded object in it. Raises `ImageError` or `ConfigError`."""
    if scene is not None and len(scene.things) >= MAX_OBJECTS:
        raise ConfigError(f"There are {MAX_OBJECTS} objects; no more go on a picture: remove one.")
    thing = open_object(path, limits)
    seen = thing.getchannel("A").getbbox()
    if seen is None:
        raise ImageError(f"Nothing of {Path(path or '').name} can be seen: all of it is transparent.")
    thing = thing.crop(seen)  # so that its border is where its corners are
    thing.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    cache = str(folder_of_uploads())
    placed = Placed(save_pil_to_cache(thing, cache, name="object", format="png"))
    if scene is None:
        view = ground.copy()
        view.thumbnail((VIEW_SIDE, VIEW_SIDE), Image.Resampling.LANCZOS)
        scene = Scene(save_pil_to_cache(view, cache, name="picture", format="webp"), [])
    return scene._replace(things=[*scene.things, placed])


def put(picture: Image.Image, mask: Image.Image | None, scene: Scene) -> tuple[Any, Any]:
    """`picture` with the objects of the scene, in their order, at its own size; and `mask` with where they are."""
    for file, x, y, size in scene.things:
        picture, here = canvas.paste(picture, _kept(file), x, y, size)
        mask = canvas.union([here] if mask is None else [mask.resize(here.size, Image.Resampling.NEAREST), here])
    return picture, mask


def _kept(file: str) -> Image.Image:
    """An object from its file, or whatever a page names instead. Raises `ImageError`."""
    try:
        with Image.open(file, formats=("PNG",)) as image:
            if max(image.size) > MAX_SIDE:
                raise ImageError(f"An object is {image.width}x{image.height} px; it has up to {MAX_SIDE} px a side.")
            return image.convert("RGBA")
    except ImageError:
        raise
    except Exception as error:  # on damaged data the decoder raises almost anything
        text = f"An object is not there any more ({one_line(error, 60)}): start over, and add it again."
        raise ImageError(text) from None

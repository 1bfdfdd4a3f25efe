"""SinGAN: a trained pyramid of generators; sampling, saving and loading. Knows nothing of training.

Longer than other files, because sampling, training, injection and animation go through one and the same pyramid here.
"""

from __future__ import annotations

import base64
import copy
import html
import io
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch
import torch.nn.functional as F
from huggingface_hub import ModelCard, ModelHubMixin
from PIL import Image

from singan.checks import check_range, check_seed, check_size
from singan.config import TrainConfig, at_scale
from singan.device import at_once, pick_device
from singan.errors import ConfigError
from singan.files import CARD_FILE, make_folder
from singan.image import Picture, tensor_to_image
from singan.networks import PatchNet
from singan.patches.atlas import Atlas, Mirrored, below_one_another, beside_its_mirror_image
from singan.patches.composition import Composition, most_alike, tried
from singan.patches.field import carry_field, refine_field, search, side_by_side
from singan.patches.light import agreed, has_sky, joined, over_into_sky
from singan.patches.mixture import alike, costs, evened, mixed, panorama, regions, shown
from singan.patches.rearrange import (
    FINE,
    PATHS,
    RARE,
    SMOOTH,
    at_heights,
    cuts,
    drawn_out,
    flipped_order,
    order,
    placed,
    rarity,
)
from singan.patches.search import PATCH, REUSE, Patches, basis
from singan.patches.vote import FLAT, Field, Wrap, around, sources, vote
from singan.pyramid import (
    MAX_SEARCHED_PIXELS,
    from_bytes,
    own_size,
    published_resize,
    resize,
    steps_beyond,
    voting_scales,
)
from singan.sampling import Constraints, Drawing, Mirror, Sample, Settle, Tile, check_mirror, pinned, tiling, unheld
from singan.scale import draw_noise, generator_tensors, load_generators, refine
from singan.storage import checkpoint, hub
from singan.storage.card import model_card, save_files
from singan.storage.description import Description
from singan.variation import EVEN, beyond_half, fresh_share, measured_curve, mix_noise, reordered
from singan.warp import closed, displace, reflected, spread

if TYPE_CHECKING:
    from typing_extensions import Unpack  # of typing, from Python 3.11 on

PREVIEW_SIDE, NOTEBOOK_SIDE = 512, 256  # of preview.png, and of the picture in notebooks
COMPACT_PIXELS = 20_000  # of an image; projected patches of larger ones are kept in half the bytes
MAX_LIT_PIXELS = 2**21  # of an image whose light is evened out at its own size
AT_ONCE = 2**24  # pixels of samples that are drawn at once: of 4096x4096 one alone, which takes 1.3 GB
IN_ONE_GO = 2**18  # pixels of those that are drawn in one go, and wait less for thousands of small operations
FREE = Constraints()
Noise = Callable[[int, tuple[int, int]], torch.Tensor]  # of a scale, and its size: (N, 3, *noise_size), deviation 1
TOGETHER, SPREAD = 0.02, 2  # what a source that no neighbour has costs samples, and how often that is passed on
FORCED = 0.4  # how much it counts, of that of others, where columns of a wider picture had better be: leap they must
EARLY, FINALISTS = 2, 3  # rounds of voting of all layouts of a sample; those that are voted to the end
FEW = 2  # layouts that are drawn of a narrower one, of which the best of many is always the same part of the photograph
SEAM, PLAIN = 0.3, 0.06  # of its light (`agreed`): more than a painting's, as one sky is cut from another
OWN_REUSE = 0.02  # of samples as wide as the photograph: at REUSE a piece of what was left out stands at their border
ROOMY_REUSE = 0.1  # at least, of several pictures, of taller ones, and of wider ones of what is there once
CURVE_ROUNDS = 2  # of voting at most while the curve of variation is measured: a draft takes this long


@dataclass(repr=False)
class SinGAN(ModelHubMixin):  # whose own loading believes config.json, and whose saving removes it first: both replaced
    """A pyramid that knows one photograph. Made by `singan.train`, `singan.draft` and `SinGAN.from_pretrained`.

    `scale_sizes` are (height, width), coarsest first; the first scales, all or none, have `generators`. `noise_amps`:
    one number for each generator, or one for scale 0 alone; `variation_curve`: the share v of fresh noise at which
    diversity is 0, 1, ... CURVE of CURVE parts of what it can be; `z_star`: the reconstruction noise of scale 0, (1, 3,
    *noise_size); `photo`: the photograph, (H, W, 3) uint8, at the size of its samples; `info` tells how the model was
    made. `memory`: the training image at the voted scales where it is not the photograph's, in files of format 1.
    `factor`: with `config.published`, that from a scale to the next coarser, of which the sizes are rounded.
    `others`: the photographs but the first, where it knows several, (any, any, 3) uint8, each about as many pixels as
    `photo`; `shares` of them all, from the first on, in a sample: they sum to 1.
    """

    config: TrainConfig
    scale_sizes: list[tuple[int, int]]
    generators: list[PatchNet]
    noise_amps: list[float]
    variation_curve: list[float]
    z_star: torch.Tensor
    photo: torch.Tensor
    info: dict[str, Any] = field(default_factory=dict)
    memory: list[torch.Tensor] = field(default_factory=list)
    factor: float = 1.0
    others: list[torch.Tensor] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    _patches: dict[tuple[int, bool], Patches] = field(init=False, repr=False, default_factory=dict)  # by level, flips
    _composition: Composition | None = field(init=False, repr=False, default=None)  # of the training image at scale 0
    _cuts: tuple[tuple[int, int], torch.Tensor] | None = field(init=False, repr=False, default=None)  # of the last size
    _flips: bool = field(init=False, repr=False, default=False)  # whether patches of its mirror image are there too
    _wrap: Wrap = field(init=False, repr=False, default=FLAT)  # whether images are tiles (`tiled`)
    _heights: torch.Tensor | None = field(init=False, repr=False, default=None)  # of rows (`held_to`)

    def __repr__(self) -> str:
        height, width = self.image_size
        title = self.info["photo"].get("title") if isinstance(self.info.get("photo"), dict) else None
        more = f" and {len(self.others)} more" if self.others else ""
        how = f"{self.num_parameters:,} parameters" if self.generators else "made without training"
        return (
            f"SinGAN of {f'{title!r:.80}' if title else 'a photograph'}{more}, {height}x{width} px\n"
            f"  {self.made}, {how}, {self.num_scales} scales, on {self.device}\n"
            "  model.sample(4) draws four images"
        )

    @property
    def made(self) -> str:
        """What draws its samples, in words."""
        count = len(self.generators)
        up_to = "x".join(map(str, self.scale_sizes[count - 1]))
        return f"{count} generator{'s' if count > 1 else ''} up to {up_to} px" if count else "a draft"

    def _repr_html_(self) -> str:
        """What notebooks show: the picture that was learned, over what `repr` says."""
        shown, png = self.training_image, io.BytesIO()
        shown.thumbnail((NOTEBOOK_SIDE, NOTEBOOK_SIDE), Image.Resampling.LANCZOS)
        shown.save(png, "PNG")
        picture = f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
        return f'<img src="{picture}" alt="the picture that was learned"><pre>{html.escape(repr(self))}</pre>'

    @property
    def device(self) -> torch.device:
        return self.z_star.device

    @property
    def levels(self) -> list[tuple[int, int]]:
        """(height, width) of the scales and, with `config.field`, of the steps from there to the photograph."""
        beyond = steps_beyond(self.scale_sizes[-1], self.photo_size) if self.config.field else []
        return [*self.scale_sizes, *beyond]

    @property
    def photo_size(self) -> tuple[int, int]:
        return self.photo.shape[0], self.photo.shape[1]

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of samples, unless they are asked for in another size."""
        return self.levels[-1]

    @property
    def num_scales(self) -> int:
        return len(self.scale_sizes)

    @property
    def voting_scales(self) -> int:
        """How many of the coarsest scales vote by comparing all patches with all."""
        return voting_scales(self.config, self.scale_sizes)

    def measured_curve(self, real: torch.Tensor) -> list[float]:
        """What makes `variation` even for this model, whose training image at scale 0 is `real`, (1, 3, H, W).

        Where content is displaced it is even by itself: how far things move goes by the share alone.
        """
        if self.config.displacement:
            return EVEN
        rounds = tuple(min(rounds, CURVE_ROUNDS) for rounds in self.config.voting_rounds)
        fewer = replace(self.config, voting_rounds=rounds, candidates=1)
        model = replace(self, config=fewer, variation_curve=EVEN)
        return measured_curve(lambda seed, share: model.sample_tensor(seed, model.image_size, 0, share, until=1), real)

    @property
    def num_parameters(self) -> int:
        return sum(p.numel() for generator in self.generators for p in generator.parameters())

    @overload
    def sample(
        self, n: int = 1, *, source: Literal[False] = False, **options: Unpack[Drawing]
    ) -> list[Image.Image]: ...

    @overload
    def sample(self, n: int = 1, *, source: Literal[True], **options: Unpack[Drawing]) -> list[Sample]: ...

    def sample(self, n: int = 1, *, source: bool = False, **options: Any) -> list[Image.Image] | list[Sample]:
        """Draw `n` new images; image k depends on `seed` + k alone, whatever `n`.

        `size`: (height, width) in pixels, by default that of the photograph; 1.3 times as wide for its height, or more,
        what is in it comes more than once; as narrow, some is left out; as tall, sky and water grow. `start_scale`: the
        coarsest scale that is drawn anew; what is coarser is the training image's. `variation` in [0, 1] mixes scale
        0's noise with the training image's own, z = v * e + sqrt(1 - v^2) * z_star: at 0 the layout is the training
        image's, at 1 free. Its columns stand in a new order, the more so up to two thirds. v is such that the samples'
        diversity grows evenly with `variation`; by default it is `config.usual_variation`. It may be `n` numbers, one
        for each sample.
        `generators_only`: without patches, as large as the finest generator; `size` is then of that.

        `flips`: parts of the photograph's mirror image come too, for newer pictures; writing is mirrored with them. Not
        in tiles, from `start_scale` 0, and not by models that cannot (`can_flip`).
        `tile`: the image goes on at its other side, left and right ("x"), above and below ("y"), or "both". `mirror`:
        the right half is the mirror image of the left one ("x"), the lower one that of the upper one ("y"), "both", or
        a "kaleidoscope", which is square. `pin`: a mask of the photograph's shape; what is white in it stays, to the
        last bit, where it is, or with its middle at `pin_to`, (down, across) in shares of the sample's sides. `source`:
        where each pixel is from comes along (`Sample`), for models with `config.field`.
        None of these goes with a model of several pictures.
        Raises `ConfigError` on a value out of range, `ImageError` for a bad mask.
        """
        return list(self.iter_samples(n, source=source, **options))

    @overload
    def iter_samples(
        self, n: int = 1, *, source: Literal[False] = False, **options: Unpack[Drawing]
    ) -> Iterator[Image.Image]: ...

    @overload
    def iter_samples(self, n: int = 1, *, source: bool, **options: Unpack[Drawing]) -> Iterator[Any]: ...

    def iter_samples(
        self,
        n: int = 1,
        *,
        size: tuple[int, int] | None = None,
        start_scale: int = 0,
        variation: float | Sequence[float] | None = None,
        seed: int = 0,
        generators_only: bool = False,
        flips: bool = False,
        tile: Tile | None = None,
        mirror: Mirror | None = None,
        pin: Picture | None = None,
        pin_to: tuple[float, float] | None = None,
        source: bool = False,
    ) -> Iterator[Any]:
        """What `sample` gives, by the same arguments, one after the other: each as soon as it is there."""
        if self.others and (source or (tile, mirror, pin) != (None, None, None)):
            what = "Tiles, mirror images, pins and sources"
            raise ConfigError(f"{what} are those of one picture, and this model knows several.")
        if source and not self.config.field:
            none = "This model has no field of patches, so that pixels have no source"
            raise ConfigError(f"{none}: make a draft of the photo.")
        if source and generators_only:
            raise ConfigError("Where pixels are from is known of patches alone: leave out generators_only.")
        model = self.bare() if generators_only else self
        variation = self.config.usual_variation if variation is None else variation
        numbers = variation if isinstance(variation, Sequence) else [variation]
        if len(numbers) not in (1, n) or not numbers:
            raise ConfigError(
                f"variation is {len(numbers)} numbers for {n} samples: give one for each, or one for all."
            )
        for number in numbers:
            model.check_sampling(n, size, start_scale, number, seed)
        seed = int(seed)  # NumPy's are none that PyTorch takes
        size = size or model.image_size
        kept = model.constraints(size, start_scale, tile, mirror, pin, pin_to)
        if flips:
            if tile or start_scale:
                raise ConfigError(
                    "Flips are those of layouts, and of no tile: leave them out, or tile and start_scale."
                )
            model = model.flipped()

        workers = torch.get_num_threads() if model.device.type == "cpu" else 1
        some = min(-(-n // workers), max(1, IN_ONE_GO // math.prod(size)))
        some = 1 if len(set(numbers)) > 1 or model._each_alone(size) else some
        firsts = range(0, n, some)

        def draw(k: int) -> list[Image.Image | Sample]:
            seeds = range(seed + firsts[k], seed + min(firsts[k] + firsts.step, n))
            x, found = model.draw(seeds, size, start_scale, numbers[firsts[k] % len(numbers)], kept)
            images = [tensor_to_image(one) for one in x.split(1)]
            if not source:
                return list(images)
            assert found is not None  # sides start at more than a patch
            at = sources(found)
            at[..., 1] = reflected(at[..., 1], model.image_size[1])  # of a mirrored part
            return [Sample(image, kept.traced(one)) for image, one in zip(images, at.split(1), strict=True)]

        def one_by_one() -> Iterator[Image.Image | Sample]:
            most = AT_ONCE // (math.prod(size) * firsts.step)
            with closing(at_once(draw, len(firsts), model.device, most)) as drawn:
                for images in drawn:
                    yield from images

        return one_by_one()

    def constraints(
        self,
        size: tuple[int, int],
        start_scale: int = 0,
        tile: Tile | None = None,
        mirror: Mirror | None = None,
        pin: Picture | None = None,
        pin_to: tuple[float, float] | None = None,
    ) -> Constraints:
        """What samples of that size are held to, as `sample` takes it. Raises `ConfigError`, `ImageError`."""
        wrap = tiling(tile)
        check_mirror(mirror, size)
        if tile and start_scale:
            raise ConfigError("A tile is drawn from the coarsest scale on: leave start_scale at 0.")
        if mirror and pin is not None:
            raise ConfigError("What is pinned has no mirror image: leave out pin or mirror.")
        if pin_to is not None and pin is None:
            raise ConfigError("pin_to moves what is pinned: give pin too, a mask of what stays.")
        fades = wrap[0] and mirror in (None, "x") and self.config.field and has_sky(self.real_at(self.num_scales - 1))
        wrap = (wrap[0] and not fades, wrap[1])
        return Constraints(wrap, fades, mirror, None if pin is None else pinned(pin, self.real_at(-1), size, pin_to))

    def bare(self) -> SinGAN:
        """This model's generators alone, without patches. Raises `ConfigError` if it has none."""
        if not self.generators:
            raise ConfigError("A draft has no generators, only the photograph's patches: train the photo first.")
        config = replace(self.config, generators=None, field=False, voting_rounds=(0,), displacement=0.0, candidates=1)
        count = len(self.generators)
        return replace(self, config=config, scale_sizes=self.scale_sizes[:count], memory=[])

    @property
    def can_flip(self) -> bool:
        """Whether samples may be made of the photograph's mirror image too: not of several pictures, nor of `paper`."""
        return self._reorders and self.config.field

    def flipped(self) -> SinGAN:
        """This model, but what it draws is made of the photograph and of its mirror image. Raises `ConfigError` if it
        cannot."""
        if not self.can_flip:
            none = "Mirrored parts are those of one picture whose columns stand in a new order"
            raise ConfigError(f"{none}, which this model does not know: leave out flips, or make a draft of the photo.")
        model = copy.copy(self)
        model._flips, model._cuts = True, None
        return model

    def tiled(self, wrap: Wrap) -> SinGAN:
        """This model, but what it draws goes on at its other side, down, across, or both."""
        model = copy.copy(self)  # with the patches that it has already
        model._wrap = wrap
        return model

    def held_to(self, heights: torch.Tensor) -> SinGAN:
        """This model, but patches hold to where the rows of an image belong: `heights`, (any,), shares of the
        photograph's height, from the image's first row to its last."""
        model = copy.copy(self)
        model._heights = heights
        return model

    def sample_tensor(
        self, seed: int, size: tuple[int, int], start_scale: int, variation: float, until: int | None = None
    ) -> torch.Tensor:
        """One sample (1, 3, H, W); `until`: as it leaves the level before that one."""
        return self.draw([seed], size, start_scale, variation, until=until)[0]

    def draw(
        self,
        seeds: Sequence[int],
        size: tuple[int, int],
        start_scale: int,
        variation: float,
        kept: Constraints = FREE,
        until: int | None = None,
    ) -> tuple[torch.Tensor, Field | None]:
        """Samples, (N, 3, H, W), each by its own of N `seeds` alone, and their field if they have one; `until`: as they
        leave the level before that one. N is 1 where they are drawn one by one (`_each_alone`)."""
        model = self.tiled(kept.wrap) if any(kept.wrap) else self
        assert len(seeds) == 1 or not model._each_alone(size)
        x, found, first = model.reconstruct_tensor(start_scale), None, model.size_at(0, size)
        rngs, own, reuse = [torch.Generator().manual_seed(seed) for seed in seeds], model._own_size(first), REUSE
        if start_scale == 0:
            low = own[0], first[1]  # as high as the photograph
            dear = model._dear(own, first[1])
            reuse = model._reuse_at(own, first[1], dear)
            x, found = model.draw_layouts(x, low, variation, rngs, dear, reuse, kept if low == first else FREE)
            if low != first:
                model, x, found = model.taller(x, first, kept)

        def noise(scale: int, size: tuple[int, int]) -> torch.Tensor:
            return torch.cat([draw_noise(1, size, scale, model.config, rng) for rng in rngs])

        lit = found is not None and model._reorders and (own != first or self._flips or beyond_half(variation) > 0)
        x = x.expand(len(seeds), -1, -1, -1)
        return model.go_on(x, max(1, start_scale), size, noise, until, found, kept, lit, reuse)

    def _each_alone(self, size: tuple[int, int]) -> bool:
        """Whether samples of that size are to be drawn one by one: taller ones, whose calm rows are each one's own,
        those of several pictures, and where layers normalise all images together."""
        first = self.size_at(0, size)
        return self._own_size(first)[0] != first[0] or bool(self.others) or self.config.norm == "batch"

    def _dear(self, own: tuple[int, int], width: int) -> torch.Tensor | None:
        """What the photograph's columns, of its size `own`, cost a picture that is to be so wide, if it is wider than
        that and there is something in it that is there once."""
        if own[1] >= width or self._flips:
            return None
        dear = rarity(resize(self.patches_at(0).images[0], own))
        return dear if bool(dear.amax() >= RARE) else None

    def _reuse_at(self, own: tuple[int, int], width: int, dear: torch.Tensor | None) -> float:
        """What a picture that is to be so wide takes, if the photograph is of the size `own` for it, and its columns
        are `dear`."""
        if dear is not None:
            return ROOMY_REUSE
        return OWN_REUSE if self.config.field and own[1] >= width and not any(self._wrap) else REUSE

    def draw_layouts(
        self,
        x: torch.Tensor,
        size: tuple[int, int],
        variation: float,
        rngs: Sequence[torch.Generator],
        dear: torch.Tensor | None,
        reuse: float,
        kept: Constraints = FREE,
    ) -> tuple[torch.Tensor, Field | None]:
        """Scale 0 of a sample for each of N `rngs`, (N, 3, *size), from what they start from, (1, 3, any, any): the
        images and their field. N is 1 where there are several pictures.

        Of `config.candidates` each is the one composed most like the training image (`most_alike`). Up to a variation
        of one half, where a sample is held to nothing, it is one of FINALISTS, which alone are voted more than EARLY
        rounds: others change to the end. Of a draft, whose layouts differ less, it is one of fewer where much variation
        is asked for (`tried`); of a narrower one of FEW. `dear`: what columns cost, as `order` takes it; then nothing
        is to be lacking. `reuse`: as `search` takes it.
        """
        share, own = fresh_share(self.variation_curve, variation), self._own_size(size)
        narrower, wider = own[1] > size[1], own[1] < size[1]
        count = self.config.candidates if self.generators else tried(self.config.candidates, variation)
        count = min(count, FEW) if narrower else count
        noises = [draw_noise(1, size, 0, self.config, rng) for rng in rngs for _ in range(count)]
        z = torch.cat(noises).to(self.device)
        amount, columns, where = self.config.displacement * reordered(variation), None, None
        if own[1] != size[1] or (amount and self._reorders):
            amount, cost = (FORCED if wider else 1) * amount, self._cuts_of(own)
            if self._flips:
                better = torch.cat([torch.randn(count, PATHS, 2, *SMOOTH, generator=rng) for rng in rngs])
                columns = flipped_order(cost, amount * better.to(self.device), size[1])
            else:
                columns = order(cost, amount * z[:, 4:, : size[0], : size[1]], dear)
        if own[1] != size[1]:  # a generator knows no such width
            entered = self._placed(resize(self.patches_at(0).images[0], own), columns)
        else:
            x = (spread if self.config.displacement else resize)(x, own)
            entered = self.invent(0, x.expand(len(z), -1, -1, -1), mix_noise(z, self.z_star, share), columns)
        if self.others and self.config.field:
            (rng,) = rngs
            others, where = self.patches_at(0).images[1:], regions(len(z), size, self.shares, rng).to(self.device)
            entered = mixed(entered, others, where, share**2 * self.config.displacement, rng)
        settle, rounds = kept.settle(size), at_scale(self.config.voting_rounds, 0)
        x = settle(entered)
        stages: list[tuple[int | None, int]] = [(None, 1)]  # rounds, and layouts left after them
        bound = own != size or settle is not unheld or kept.fades or any(self._wrap) or self._flips or self.others
        if count > FINALISTS and rounds > 2 * EARLY and not (bound or beyond_half(variation)):
            stages = [(EARLY, FINALISTS), (rounds - EARLY, 1)]
        for some, left in stages:
            x, found = self.apply_scale(0, x, None, rounds=some, reuse=reuse, settle=settle, where=where)
            if count == 1 or found is None:
                return x[::count], found
            best = self._most_alike(x, count, variation, whole=dear is not None, many=left)
            x, found, where, count = x[best], found.only(best), None if where is None else where[best], left
        return x, found

    def _most_alike(self, x: torch.Tensor, of: int, variation: float, **how: Any) -> list[int]:
        """Of each `of` layouts in (N * of, 3, H, W) those that are composed most like the training image: which of all
        they are. `how`: as `most_alike` takes it."""
        images = self.patches_at(0).images
        known = self._composition  # which another thread may drop
        if known is None:
            known = self._composition = Composition(panorama(images, self.shares) if self.others else images[0])
        seen = around(x, self._wrap).split(of)  # with what stands over the border of a tile
        best = [most_alike(some, images[0], known, variation, **how) for some in seen]
        return [k * of + at for k, chosen in enumerate(best) for at in chosen]

    def taller(
        self, x: torch.Tensor, size: tuple[int, int], kept: Constraints
    ) -> tuple[SinGAN, torch.Tensor, Field | None]:
        """The calm rows of a layout, (1, 3, H, W) at scale 0, drawn out to the height of `size`. Returns this model, in
        which patches hold to where they belong then, the image, (1, 3, *size), and its field."""
        heights, settle = drawn_out(x, size[0]), kept.settle(size)
        x, model = at_heights(x, heights), self.held_to(heights)
        return model, *model.apply_scale(0, settle(x), None, settle=settle)

    def go_on(
        self,
        x: torch.Tensor,
        start_scale: int,
        size: tuple[int, int],
        noise: Noise,
        until: int | None = None,
        found: Field | None = None,
        kept: Constraints = FREE,
        lit: bool = False,
        reuse: float = REUSE,
    ) -> tuple[torch.Tensor, Field | None]:
        """`x`, (N, 3, any, any), through the levels from `start_scale` to the last, or to `until`: (N, 3, *size), and
        its field, if there is one.

        `x` is enlarged or shrunk to `start_scale` first. `noise` is asked for that of each scale that takes some.
        `found`: the field of `x`, if it has one. `kept`: what the image is held to at every level. `lit`: its light is
        evened out in the end, where patches of different sources meet. `reuse`: as `search` takes it.
        """
        sizes, lighter = [self.size_at(k, size) for k in range(len(self.levels))], None
        last = sum(math.prod(at) <= MAX_LIT_PIXELS for at in sizes) - 1  # that is small enough to be lit
        for k in range(start_scale, len(self.levels) if until is None else until):
            here = sizes[k]
            x, settle = self.resized(x, here), kept.settle(here)
            z = noise(k, here).to(self.device) if k < len(self.noise_amps) else None
            where = None
            if found and found.pictures and k < self.voting_scales:
                where = F.interpolate(shown(found)[:, None].float(), here)
            x, found = self.apply_scale(k, x, z, found, reuse=reuse, settle=settle, where=where)
            x = settle(x)  # also where there was no voting
            if lit and found and k == last:
                lighter = agreed(x, found, self.patches_at(k).image, SEAM, PLAIN).sub_(x)
        if until is None and lighter is not None:
            x = kept.settle(size)((x + resize(lighter, size)).clamp_(-1, 1))
        if until is None and found and found.pictures:
            x = evened(x, found, self.patches_at(len(self.levels) - 1))
        if until is None and (kept.fades or any(kept.wrap)):
            x = over_into_sky(x) if kept.fades else x
            x = kept.settle(size)(joined(x, (kept.wrap[0] or kept.fades, kept.wrap[1])))
        return x, found

    def apply_scale(
        self,
        level: int,
        x: torch.Tensor,
        noise: torch.Tensor | None,
        found: Field | None = None,
        *,
        rounds: int | None = None,
        reuse: float = REUSE,
        region: torch.Tensor | None = None,
        settle: Settle = unheld,
        where: torch.Tensor | None = None,
        joins: bool = False,
    ) -> tuple[torch.Tensor, Field | None]:
        """One level: its generator, if it has one and there is `noise`; at scale 0 displacement; then voting, from a
        field that is searched for at the voting scales, and carried on from `found` at finer levels.

        `x`: (N, 3, H, W) at the level's size, one image where there is a region; `noise` as `draw_noise` gives it.
        `found`: the field of the level before, if there is one. `rounds` of voting instead of the config's; 0 leaves
        out the field too. Without it, region or several pictures, or where it `joins`, neighbours end up, beyond scale
        0, with sources side by side where that costs little. Where `region`, (1, 1, H, W), is not over 0, patches stay
        at their own place. `settle` is applied to the image after every round: what it must keep. `where`, (N, 1, H,
        W), says which of several pictures stands where; patches that are searched for hold to it. Returns the image and
        its field.
        """
        if noise is not None:
            x = self.invent(level, x, noise)
        searched = level < self.voting_scales
        joins = self.config.field and level > 0 and (joins or all(one is None for one in (rounds, region, where)))
        if rounds is None:
            rounds = at_scale(self.config.voting_rounds, level) if searched else int(self.config.field)
        if min(*x.shape[2:], *self.levels[level]) < PATCH:
            return x, None
        for k in range(rounds):
            if searched:
                found = self._search(level, x, reuse, region, where)
                if joins and k == rounds - 1:
                    patches, prior = self.patches_at(level), self.place_prior
                    found = side_by_side(found, x, patches, prior, TOGETHER, SPREAD, self._heights)
            elif found is None:
                found = self.find_field(level, x, reuse, region)
            else:
                found = self._carry(level, x, found, region)
            x = settle(vote(found, self.patches_at(level)))
        return x, found

    def _own_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """How large the photograph is before its columns and rows are brought to that size, (height, width): not that
        where it would be stretched much."""
        return own_size(self.scale_sizes[0], size) if self._reorders else size

    @property
    def _reorders(self) -> bool:
        """Whether the photograph's columns may stand in a new order: of one picture, and no tile."""
        return bool(self.config.displacement) and not any(self._wrap) and not self.others

    def _placed(self, x: torch.Tensor, columns: torch.Tensor | None) -> torch.Tensor:
        """Images, (N, 3, H, W) or one, with those `columns`, (N, places), if there are any."""
        return x if columns is None else placed(self._beside(x), columns)

    def _beside(self, x: torch.Tensor) -> torch.Tensor:
        """Images, (N, 3, H, W), and to the right of them their mirror images where these are there too."""
        return beside_its_mirror_image(x) if self._flips else x

    def _cuts_of(self, size: tuple[int, int]) -> torch.Tensor:
        """What it costs to cut the training image, at that size, that of scale 0, from column to column."""
        known = self._cuts  # which another thread may replace
        if known is None or known[0] != size:
            with torch.inference_mode():
                fine = resize(self.photo_tensor, (FINE * size[0], FINE * size[1]))
                known = self._cuts = size, cuts(self._beside(fine))
        return known[1]

    def invent(
        self, level: int, x: torch.Tensor, noise: torch.Tensor, columns: torch.Tensor | None = None
    ) -> torch.Tensor:
        """What noise, (N, 3 or 5, *noise_size), does to images (N, 3, H, W) at a level: its generator, if there is one;
        and at scale 0, where `columns`, (N, W), says which ones stand where, their order and displacement."""
        if level < len(self.generators):
            beyond = self._wrap if level else FLAT  # by its border the coarsest one knows above from below
            x = refine(self.generators[level], x, self.noise_amps[level] * noise[:, :3], self.config, beyond)
        x = x if level else closed(x, self._wrap)
        x = self._placed(x, columns)
        return displace(x, self.config.displacement * noise[:, 3:], self._wrap) if noise.shape[1] > 3 else x

    def find_field(
        self, level: int, x: torch.Tensor, reuse: float = REUSE, region: torch.Tensor | None = None
    ) -> Field:
        """The field of any image, (1, 3, H, W) at the size of `level`: searched for at the last scale that is small
        enough, where the image is shrunk to, and carried on from there."""
        size, shrunk = (x.shape[2], x.shape[3]), self.levels[level]
        full = round(size[0] * self.image_size[0] / shrunk[0]), round(size[1] * self.image_size[1] / shrunk[1])
        small = (k for k in range(level + 1) if math.prod(self.levels[k]) <= MAX_SEARCHED_PIXELS)
        start = max(small, default=0)
        found = None
        for k in range(start, level + 1):
            at = size if k == level else self.size_at(k, full)
            if found is None and min(at) < PATCH:  # too small to be searched: start at the next one
                continue
            shown = resize(x, at)
            inside = None if region is None else F.adaptive_max_pool2d(region, at)
            found = self._carry(k, shown, found, inside) if found else self._search(k, shown, reuse, inside)
        assert found is not None  # start is at most level
        return found

    def _search(
        self, level: int, x: torch.Tensor, reuse: float, region: torch.Tensor | None, where: torch.Tensor | None = None
    ) -> Field:
        patches, held = self.patches_at(level), None if where is None else costs(where, len(self.shares))
        if self.others or self._flips or self._heights is not None:
            reuse = max(reuse, ROOMY_REUSE)
        return search(
            x, patches, self.place_prior, reuse=reuse, region=region, wrap=self._wrap, costs=held, heights=self._heights
        )

    def _carry(self, level: int, x: torch.Tensor, found: Field, region: torch.Tensor | None) -> Field:
        patches, size = self.patches_at(level), (x.shape[2], x.shape[3])
        found = carry_field(found, size, patches)
        return refine_field(found, x, patches, self.place_prior, region=region, heights=self._heights)

    @property
    def place_prior(self) -> float:
        """That of the config; but no height is above another in a tile that goes on at its foot with its top."""
        return 0.0 if self._wrap[0] else self.config.place_prior

    def patches_at(self, level: int) -> Patches:
        """The photograph's patches at that level; kept from the first use on."""
        patches = self._patches.get((level, self._flips))
        if patches is None:
            with torch.inference_mode():
                images = [self.memory[level]] if level < len(self.memory) else self.pictures_at(level)
                image = below_one_another(images) if self.others else self._beside(images[0])
                finest = max(0, self.voting_scales - 1)
                if level == finest or not self.config.field:  # older files compare patches in full
                    filters = basis(image) if self.config.field else basis(image, 3 * PATCH**2)
                else:
                    filters = self.patches_at(finest).filters
                compact = image.shape[2] * image.shape[3] > COMPACT_PIXELS
                dtype = torch.float16 if compact else torch.float32
                one = (Mirrored if self._flips else Patches)(images[0], filters, dtype)
                patches = Atlas(images, filters, dtype) if self.others else one
                self._patches[level, self._flips] = patches
        return patches

    def reconstruct(self) -> Image.Image:
        """The training image as the generators remember it: noise z_star at scale 0, none after it."""
        return tensor_to_image(self.reconstruct_tensor(len(self.generators)))

    def reconstruct_tensor(self, scales: int) -> torch.Tensor:
        """(1, 3, H, W) after the first `scales` generators. Before the first: what scale 0 starts from, zeros or,
        with `config.from_image`, the training image, for a generator a scale_factor smaller."""
        height, width = self.scale_sizes[0]
        if self.config.from_image and self.config.generators == 0:
            x = self.patches_at(0).images[0]  # which is kept
        elif self.config.from_image:
            factor = self.config.scale_factor
            x = resize(self.real_at(0), (max(1, round(factor * height)), max(1, round(factor * width))))
            x = resize(x, (height, width))
        else:
            x = torch.zeros(1, 3, height, width, device=self.device)
        for k in range(scales):
            noise = self.noise_amps[0] * self.z_star if k == 0 else None
            x = refine(self.generators[k], self.resized(x, self.scale_sizes[k]), noise, self.config)
        return x

    def resized(self, x: torch.Tensor, size: tuple[int, int], scales: int = 1) -> torch.Tensor:
        """`x`, (1, 3, H, W), of some scale at its `size` `scales` scales finer (or coarser, if that is negative)."""
        if not self.config.published:
            return resize(x, size, self._wrap)
        return x if x.shape[2:] == size else published_resize(x, self.factor**-scales, size, self._wrap)

    @property
    def photo_tensor(self) -> torch.Tensor:
        """The photograph, (1, 3, H, W) in [-1, 1]."""
        pixels = self.photo.permute(2, 0, 1)[None]
        return from_bytes(pixels, torch.get_default_dtype()) if self.config.published else pixels.float() / 127.5 - 1

    def real_at(self, level: int) -> torch.Tensor:
        """The training image at that level, (1, 3, H, W)."""
        if self.config.published:  # whose photograph is that of the finest scale, trained or not
            ratio, pixels = min(self.scale_sizes[level]) / min(self.photo_size), self.photo.permute(2, 0, 1)[None]
            coarser = round(math.log(ratio) / math.log(self.factor)) if self.factor < 1 else 0
            return published_resize(pixels, math.pow(self.factor, coarser), self.scale_sizes[level])
        return resize(self.photo_tensor, self.levels[level])

    def pictures_at(self, level: int) -> list[torch.Tensor]:
        """All photographs, shrunk alike to that level: the first is (1, 3, *levels[level])."""
        first, at = resize(self.photo_tensor, self.levels[level]), self.levels[level]
        sizes = [alike((other.shape[0], other.shape[1]), self.photo_size, at) for other in self.others]
        pixels = [other.permute(2, 0, 1)[None].float() / 127.5 - 1 for other in self.others]
        return [first, *(resize(other, size) for other, size in zip(pixels, sizes, strict=True))]

    @property
    def training_image(self) -> Image.Image:
        """The training image at the size of samples."""
        return tensor_to_image(self.real_at(-1))

    def to(self, device: str | torch.device) -> SinGAN:
        """This model on another device, in place."""
        chosen = pick_device(device)
        self.generators = [generator.to(chosen) for generator in self.generators]
        self.z_star = self.z_star.to(chosen)
        self.photo = self.photo.to(chosen)
        self.others = [other.to(chosen) for other in self.others]
        self.memory = [real.to(chosen) for real in self.memory]
        self._patches.clear()
        self._cuts = None
        self._composition = None
        return self

    def save_pretrained(self, directory: str | os.PathLike[str]) -> Path:  # type: ignore[override]
        """Write config.json, model.safetensors, preview.png and README.md, all or none: who reads the folder meanwhile,
        or after the writer was killed, finds the old model or the new one.

        README.md is the model card; one that was edited by hand stays. `info["photo"]` may give the title, author,
        license (as the Hub calls it: cc0-1.0) and source of the picture. Returns the directory. Raises
        `CheckpointError`, before anything is written, if `info` holds anything but lines of text and numbers, or where
        there can be no such folder.
        """
        folder = Path(directory)
        described = self._description()
        preview = self.training_image
        preview.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
        files = checkpoint.contents(described, self._tensors(), preview)
        files[CARD_FILE] = model_card(described, folder.resolve().name).encode(errors="replace")
        make_folder(folder)
        save_files(folder, files)
        return folder

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        where: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        device: str | torch.device | None = None,
    ) -> SinGAN:
        """Load a model: from a folder, by the name of a shipped one ("skyline"), or from the Hub ("user/name").

        An existing folder comes first. `revision` is a branch, tag or commit on the Hub; `token`, `cache_dir`,
        `local_files_only` and `force_download` are those of `huggingface_hub.snapshot_download`. Raises
        `CheckpointError` if there is no such model or its files do not agree to the last tensor, `HubError` if the
        Hub did not give it.
        """
        options = {"token": token, "cache_dir": None if cache_dir is None else Path(cache_dir)}
        options |= {"local_files_only": local_files_only, "force_download": force_download}
        folder = hub.find(os.fspath(where), revision=revision, **options)
        described, tensors = checkpoint.read(folder)
        config, sizes = described.config, described.scale_sizes
        generators = load_generators(config, described.num_generators, tensors)
        votes = voting_scales(config, sizes) if described.stores_memory else 0
        memory = [tensors[f"memory.{k}"] for k in range(votes)]
        others = [tensors[f"photo.{k}"] for k in range(1, len(described.other_sizes) + 1)]
        z_star, photo = tensors["z_star"], tensors.get("photo", torch.zeros(*sizes[-1], 3, dtype=torch.uint8))
        amps, curve = described.noise_amps, described.variation_curve
        facts = described.info, memory, described.factor, others, described.shares
        model = cls(config, sizes, generators, amps, curve, z_star, photo, *facts)
        if "photo" not in tensors:  # format 1: the reconstruction stands in
            model.photo = torch.from_numpy(np.array(model.reconstruct()))
        return model.to(pick_device(device))

    def push_to_hub(self, repo_id: str, **options: Any) -> hub.Pushed:  # type: ignore[override]
        """Upload this model to the Hub as `user/name`, made if need be. `options` are those of `hub.push`: private,
        token, revision, create_pr and commit_message. Raises `HubError`, `CheckpointError`."""
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return hub.push(Path(folder), repo_id, **options)

    def generate_model_card(self, where: str) -> ModelCard:
        """The model card; `where` is what its code snippet loads."""
        return ModelCard(model_card(self._description(), where))

    def _description(self) -> Description:
        description = Description(
            config=self.config,
            scale_sizes=self.scale_sizes,
            num_generators=len(self.generators),
            noise_amps=self.noise_amps,
            variation_curve=self.variation_curve,
            photo_size=self.photo_size,
            stores_memory=bool(self.memory),
            info=self.info,
            factor=self.factor,
            other_sizes=[(other.shape[0], other.shape[1]) for other in self.others],
            other_bytes=[0 for _ in self.others],  # not packed yet
            shares=self.shares,
        )
        return description.checked()

    def _tensors(self) -> dict[str, torch.Tensor]:
        """What model.safetensors holds, the photograph not yet packed."""
        tensors = {"z_star": self.z_star, "photo": self.photo}
        tensors |= {f"photo.{k}": other for k, other in enumerate(self.others, 1)}
        tensors |= {f"memory.{k}": real for k, real in enumerate(self.memory)}
        return tensors | generator_tensors(self.generators)

    def size_at(self, scale: int, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of a level in an image that is `size` at the last one."""
        (h, w), (height, width) = self.levels[scale], self.image_size
        return max(1, round(h * size[0] / height)), max(1, round(w * size[1] / width))

    def check_sampling(
        self, n: int, size: tuple[int, int] | None, start_scale: int, variation: float, seed: int
    ) -> None:
        check_range("n", n, 1, math.inf, int, says="draw at least 1 sample")
        self.check_start_scale(start_scale)
        check_range("variation", variation, 0, 1)
        check_seed(seed, n)
        if size is not None:
            check_size(size)

    def check_start_scale(self, start_scale: int) -> None:
        last = max(1, len(self.generators)) - 1
        there = f"has generators at the scales 0 to {last}" if last else "starts at scale 0 alone"
        check_range("start_scale", start_scale, 0, last, int, says=f"this model {there}")

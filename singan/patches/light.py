"""Evening out light: steps along an edge are spread into what is on one side of it (gradient domain, Perez et al.,
SIGGRAPH 2003)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from singan.device import at_once, total
from singan.patches.search import PATCH, between
from singan.patches.vote import Field, Wrap, sources

LIGHT = 1.2  # of the range [-1, 1]: a step across a cut that is larger is no light, and stays
FADE = 40.0  # pixels at 250 px from a cut until its light has faded
ALONG = 0.02  # of the border of a tile: over twice as much of it a step in light is averaged
JOINED = 0.15  # of the longer side: within it the step has faded
SLOPE = 20.0  # pixels of a photograph of 250 px: over so many, of three patches at least, what remains is a slope
SEAM, PLAIN = 0.1, 0.04  # a step where patches meet that is larger is no light, and less where so much else is seen
CALM, AROUND = 0.25, 8  # deviation of what is smooth, of the range [-1, 1]; pixels around that must be, too
SKY, OVER = 0.15, 0.2  # of the height: what has to be smooth, to be a sky; within which others go over into it
ITERATIONS, TOLERANCE = 60, 1e-5  # of the conjugate gradients that even out the light; of the energy of the error
LONG = 2048  # pixels a side up to which light is solved for by the matrix of cosines
SMALL = 4  # pixels a side that are not shrunk for it
SWEEPS, DAMPED = 2, 0.8  # on each side of a smaller image, and the share of each that is taken
CROSS = [[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]


def lit(image: torch.Tensor, x: torch.Tensor, hole: torch.Tensor, light: float = LIGHT) -> torch.Tensor:
    """`x`, (1, 3, H, W), in `hole`, (1, 1, H, W) of 0 and 1, its light evened out along the edge to that of `image`,
    which is all else; steps larger than `light` are no light."""
    known, cross = 1 - hole, torch.tensor(CROSS).to(hole)[None, None]
    beside = F.conv2d(known, cross, padding=1)
    around = F.conv2d((known * image).transpose(0, 1), cross, padding=1).transpose(0, 1)
    step = torch.where(beside > 0, around / beside.clamp(min=1) - x, 0)
    lighter = solved(hole * beside * light_of(step, light), hole, FADE * max(image.shape[2:]) / 250)
    return torch.where(hole > 0, x + lighter, image).clamp(-1, 1)


def joined(x: torch.Tensor, wrap: Wrap) -> torch.Tensor:
    """Tiles, (N, 3, H, W), whose light goes on over the border where they `wrap`: its steps there, smoothed along the
    border, fade into both sides (the periodic component of an image, Moisan 2011, screened)."""
    right, (height, width) = torch.zeros_like(x), x.shape[2:]
    for axis, wraps in zip((2, 3), wrap, strict=True):
        if wraps:
            places = torch.arange(-PATCH, PATCH, device=x.device) % x.shape[axis]  # within a patch of the border
            step = light_of(torch.roll(x, -1, axis) - x, LIGHT).index_select(axis, places)
            kernel = [1, 1]
            kernel[3 - axis] = 2 * round(ALONG * x.shape[5 - axis]) + 1
            step = F.avg_pool2d(step, kernel, 1, [side // 2 for side in kernel], count_include_pad=False)
            right.index_add_(axis, places, step, alpha=-1).index_add_(axis, (places + 1) % x.shape[axis], step)
    return (x - _spread(right, JOINED * max(height, width))).clamp(-1, 1)


def agreed(
    x: torch.Tensor, field: Field, photo: torch.Tensor, seam: float = SEAM, plain: float = PLAIN
) -> torch.Tensor:
    """`x`, (N, 3, H, W), which the `field` makes of `photo`, (1, 3, h, w), with its light evened out where patches of
    different sources meet: steps there that the sources do not have are spread, if smaller than `seam`, of the range
    [-1, 1], and where steps from pixel to pixel are about `plain`, than less. A slope of many small steps stays, like
    that of a sky that is drawn out: it would be led on to colours that no sky has."""
    right, fade = _steps(x, field, photo, seam, plain), FADE * max(x.shape[2:]) / 250
    return _spread_within(right.flatten(0, 1), fade).view_as(x).add_(x).clamp_(-1, 1)


def _spread_within(right: torch.Tensor, fade: float) -> torch.Tensor:
    """As `_spread`, of (n, H, W), in place, but nothing is spread over the border."""
    (height, width), device = right.shape[1:], right.device
    if max(height, width) > LONG:  # so large a matrix takes more memory than mirror images do, one after the other
        for one in right:
            mirrored = torch.cat([one, one.flip(0)])
            one.copy_(_spread(torch.cat([mirrored, mirrored.flip(1)], 1), fade)[:height, :width])
        return right
    down, across = (_cosines(side).to(device) for side in (height, width))
    damping = _damping([torch.arange(side, device=device) / (2 * side) for side in (height, width)], fade)
    spectra, halfway = ([one.clone() for one in right] for _ in range(2))

    def spread(k: int) -> None:
        """One alone, by one thread: the same to the last bit however many there are of both. In memory that is there:
        what a thread allocates leaves holes in a heap of its own."""
        torch.mm(down, spectra[k], out=halfway[k])
        torch.mm(halfway[k], across.T, out=spectra[k]).div_(damping)
        torch.mm(down.T, spectra[k], out=halfway[k])
        right[k] = torch.mm(halfway[k], across, out=spectra[k])

    for _ in at_once(spread, len(right), device, len(right)):
        pass
    return right


def _cosines(side: int) -> torch.Tensor:
    """The discrete cosine transform of so many numbers, orthonormal: (side, side). As a product of matrices it takes
    less time than fast transforms of the image and its mirror images, up to megapixels."""
    k = torch.arange(side, dtype=torch.float64)
    waves = (math.pi / side * k[:, None] * (k + 0.5)).cos_().mul_(math.sqrt(2 / side))
    waves[0] /= math.sqrt(2)
    return waves.float()


def _steps(x: torch.Tensor, field: Field, photo: torch.Tensor, seam: float, plain: float) -> torch.Tensor:
    """What `agreed` spreads: of each pixel the steps from those around it that its sources have not, (N, 3, H, W)."""
    at, many = sources(field), len(x)
    places = (at[..., 0] * photo.shape[3] + at[..., 1]).flatten()
    del at
    right = torch.zeros_like(x)

    def there(step: torch.Tensor) -> torch.Tensor:
        """Of (1, 3, h, w) what is at the source of each pixel: (N, 3, H, W)."""
        return step[0].flatten(1).index_select(1, places).view(3, many, *x.shape[2:]).transpose(0, 1)

    def along(axis: int) -> torch.Tensor:
        """The light in the steps from each pixel to the next, one less than there are pixels along the axis."""
        inside, last = x.shape[axis] - 1, photo.shape[axis] - 1
        after = there(photo.diff(dim=axis, append=photo.narrow(axis, last, 1)))  # from a pixel to the next
        before = there(photo.diff(dim=axis, prepend=photo.narrow(axis, 0, 1)))
        wanted = after.narrow(axis, 0, inside).add_(before.narrow(axis, 1, inside)).div_(2)
        del before
        busy = F.avg_pool2d(wanted.abs().mean(1, keepdim=True), 5, 1, 2, count_include_pad=False)
        return light_of(wanted.sub_(x.diff(dim=axis)), seam * torch.exp(-busy / plain))

    for axis in (2, 3):
        step, side = along(axis), max(3 * PATCH, SLOPE * max(photo.shape[2:]) / 250)
        cells = math.ceil(step.shape[2] / side), math.ceil(step.shape[3] / side)
        slope = F.adaptive_avg_pool2d(step, cells)
        for long in step.shape[2:]:  # linear between the cells: torch's own is another with each number of threads
            middles = (torch.arange(long, device=x.device) + 0.5) * (slope.shape[2] / long) - 0.5
            slope = between(slope.mT, middles)
        step -= slope
        inside = step.shape[axis]
        right.narrow(axis, 1, inside).add_(step)
        right.narrow(axis, 0, inside).sub_(step)
    return right


def _spread(right: torch.Tensor, fade: float) -> torch.Tensor:
    """The solution of Poisson's equation for `right`, (..., H, W), on a torus, fading within `fade` pixels."""
    spectrum = torch.fft.rfft2(right)
    device, (high, wide) = right.device, right.shape[-2:]
    turns = [torch.fft.fftfreq(high, device=device), torch.fft.rfftfreq(wide, device=device)]
    return torch.fft.irfft2(spectrum.div_(_damping(turns, fade)), s=(high, wide))


def _damping(turns: list[torch.Tensor], fade: float) -> torch.Tensor:
    """By what the waves of the right side of Poisson's equation are divided for those of its solution, which fades
    within `fade` pixels: (H, W). `turns`: how often they turn from pixel to pixel, down, (H,), and across, (W,)."""
    down, across = (2 - 2 * torch.cos(2 * math.pi * one) for one in turns)
    return down[:, None] + across + fade**-2


def calm(x: torch.Tensor) -> torch.Tensor:
    """How smooth an image of 250 px, (N, 3, H, W), is around each pixel: (N, 1, H, W), 0 to 1."""
    uneven = (mean(x * x, PATCH) - mean(x, PATCH).square()).clamp(min=0).sum(1, keepdim=True)
    uneven = F.max_pool2d(uneven, 2 * AROUND + 1, 1, AROUND)
    return mean(torch.exp(-uneven / CALM**2), 2 * AROUND + 1)


def has_sky(x: torch.Tensor) -> bool:
    """Whether what is at the upper end of an image of 250 px, (1, 3, H, W), is smooth, nearly all of it."""
    return float(calm(x)[:, :, : round(SKY * x.shape[2])].mean()) > 0.75


def over_into_sky(x: torch.Tensor) -> torch.Tensor:
    """`x`, (N, 3, H, W), whose lower end goes over into its upper one and that into it, each mirrored at the border."""
    place = torch.arange(x.shape[2], device=x.device)
    share = (torch.minimum(place, place.flip(0)) / (OVER * x.shape[2])).clamp(max=1)
    weight = (1 - share.square() * (3 - 2 * share)) / 2
    return x + weight[:, None] * (x.flip(2) - x)


def mean(x: torch.Tensor, side: int) -> torch.Tensor:
    """Of the pixels around each pixel of (N, C, H, W), in a square of `side`, an odd number."""
    down = F.avg_pool2d(x, (side, 1), 1, (side // 2, 0), count_include_pad=False)
    return F.avg_pool2d(down, (1, side), 1, (0, side // 2), count_include_pad=False)


def light_of(steps: torch.Tensor, limit: torch.Tensor | float) -> torch.Tensor:
    """Of steps in colour, (n, 3, ...), those that are light: smaller than `limit` in every channel, about."""
    share = steps.abs().amax(1, keepdim=True) / limit
    return steps * torch.exp(-share.square().square().square())


def solved(right: torch.Tensor, unknown: torch.Tensor, fade: float = math.inf) -> torch.Tensor:
    """The solution of Poisson's equation, 0 where not `unknown`, (1, 1, height, width), for `right`, (1, any, height,
    width), fading within `fade` pixels: conjugate gradients, each step from what `Multigrid` makes of the residual."""
    where = unknown[0, 0].nonzero()
    if not len(where):
        return torch.zeros_like(right)
    (top, left), (bottom, end) = (where.amin(0) - 1).clamp(min=0).tolist(), (where.amax(0) + 2).tolist()
    part = (..., slice(top, bottom), slice(left, end))
    grid = Multigrid(unknown[part], fade)
    rest = right[part] * unknown[part]
    x, along = torch.zeros_like(rest), grid.corrected(rest)
    left_over = first = total(rest * along)
    for _ in range(ITERATIONS):
        if left_over <= TOLERANCE * first:
            break
        moved = grid.laplace(along)
        share = left_over / total(along * moved)
        x, before, rest = x + share * along, rest, rest - share * moved
        better = grid.corrected(rest)
        turn = total(better * (rest - before)) / left_over  # as the corrections are not quite symmetric
        left_over = total(rest * better)
        along = better + turn * along
    whole = torch.zeros_like(right)
    whole[part] = x
    return whole


class Multigrid:
    """Poisson's equation on an image and on ever smaller ones, down to SMALL pixels (Briggs et al., "A multigrid
    tutorial", 2000)."""

    def __init__(self, unknown: torch.Tensor, fade: float) -> None:
        self.unknown, cross = unknown, torch.tensor(CROSS).to(unknown)[None, None]
        self.diagonal = F.conv2d(F.pad(torch.ones_like(unknown), (1, 1, 1, 1)), cross) + fade**-2
        self.smaller = None
        if min(unknown.shape[2:]) > SMALL:
            half = F.avg_pool2d(unknown, 2, ceil_mode=True, count_include_pad=False)
            self.smaller = Multigrid((half > 0.5).float(), fade / 2)

    def laplace(self, x: torch.Tensor) -> torch.Tensor:
        wide = F.pad(x, (1, 1, 1, 1))
        beside = wide[..., :-2, 1:-1] + wide[..., 2:, 1:-1] + wide[..., 1:-1, :-2] + wide[..., 1:-1, 2:]
        return self.unknown * (self.diagonal * x - beside)

    def corrected(self, rest: torch.Tensor) -> torch.Tensor:
        """About the solution for `rest`: what is rough of it from here, what is smooth from a smaller image."""
        x = self.smoothed(DAMPED * rest / self.diagonal, rest, SWEEPS - 1)
        if self.smaller:
            height, width = rest.shape[2:]
            missing = F.pad(rest - self.laplace(x), (0, width % 2, 0, height % 2))
            coarse = self.smaller.corrected(self.smaller.unknown * 4 * F.avg_pool2d(missing, 2))
            size = [2 * side for side in coarse.shape[2:]]
            fine = F.interpolate(coarse, size=size, mode="bilinear", antialias=True)  # row by row
            x = x + self.unknown * fine[..., :height, :width]
        return self.smoothed(x, rest, SWEEPS)

    def smoothed(self, x: torch.Tensor, rest: torch.Tensor, sweeps: int) -> torch.Tensor:
        """`x` after so many steps of Jacobi's."""
        for _ in range(sweeps):
            x = x + DAMPED * (rest - self.laplace(x)) / self.diagonal
        return x

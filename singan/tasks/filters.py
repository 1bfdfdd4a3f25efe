"""Image filters that the tasks share. Images are (1, C, H, W), distances in pixels of an image of 250 px."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from singan.pyramid import resize

UNIT = 250  # pixels of the longest side of the image that distances are given for
PALETTE = 1500  # colours of a picture that others are compared with
SOFTNESS = 0.02  # of the choice among near colours, squared, of the range [-1, 1]
STRANGE, SHIFTS = 0.003, 4  # squared distance at which a colour is none of a picture's; steps of mean shift then
LIGHTNESS = 1.5  # what a difference of lightness counts among colours
LATTICE = 21  # colours along each axis of the cube for which `towards_colors` is computed
LEVELS = 256  # of lightness that are told apart where values are matched
BLURRED = 3.0  # pixels; what is blurred more than that is shrunk first, so that time does not grow with the radius


def unit(x: torch.Tensor) -> float:
    """Pixels of `x` for one of an image of 250 px."""
    return max(x.shape[2:]) / UNIT


def blur(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian blur of that standard deviation, in pixels of an image of 250 px; borders are repeated."""
    pixels = sigma * unit(x)
    if pixels < 0.3:
        return x
    if pixels > 2 * BLURRED and min(x.shape[2:]) > 32:
        share = BLURRED / pixels
        small = resize(x, (max(16, round(share * x.shape[2])), max(16, round(share * x.shape[3]))))
        return resize(blur(small, sigma), (x.shape[2], x.shape[3]))
    reach = max(1, round(4 * pixels))
    bell = torch.exp(-torch.arange(-reach, reach + 1, device=x.device).square() / (2 * pixels**2))
    bell = (bell / bell.sum()).expand(x.shape[1], 1, -1)
    padded = F.pad(x, (reach,) * 4, mode="replicate")
    padded = F.conv2d(padded, bell[..., None], groups=x.shape[1])
    return F.conv2d(padded, bell[:, :, None], groups=x.shape[1])


def grow(mask: torch.Tensor, reach: float) -> torch.Tensor:
    """A mask of 0 and 1, (1, 1, H, W), widened by a disk; a negative `reach` narrows it, but not from the border.

    Larger masks are widened at 250 px, where a disk is small.
    """
    if reach == 0:
        return mask
    if reach < 0:
        return 1 - grow(1 - mask, -reach)
    shrink = max(1.0, unit(mask))
    small = F.adaptive_max_pool2d(mask, [max(1, round(side / shrink)) for side in mask.shape[2:]])
    pixels = max(1, round(reach * min(1.0, unit(mask))))
    offset = torch.arange(-pixels, pixels + 1, device=mask.device)
    disk = (offset[:, None].square() + offset.square() <= pixels**2).float()
    wide = (F.conv2d(small, disk[None, None], padding=pixels) > 0.5).float()
    return F.interpolate(wide, size=mask.shape[2:], mode="nearest")


def highest(x: torch.Tensor, reach: float) -> torch.Tensor:
    """The greatest value within `reach` across and down."""
    pixels = max(1, round(reach * unit(x)))
    x = F.max_pool2d(x, (2 * pixels + 1, 1), 1, (pixels, 0))  # in two passes: one takes as long as its area
    return F.max_pool2d(x, (1, 2 * pixels + 1), 1, (0, pixels))


def touching(seeds: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The parts of a mask of 0 and 1, (1, 1, H, W), that hold one of `seeds`, which is another."""
    found, before = seeds * mask, torch.zeros_like(mask)
    while not found.equal(before):
        before = found
        for _ in range(2):  # along the rows, then along the columns
            found, mask = found.mT, mask.mT
            runs = F.pad(mask.diff(dim=3).abs().cumsum(3), (1, 0)).long()
            found = torch.zeros_like(found).scatter_reduce(3, runs, found, "amax").gather(3, runs) * mask
    return found


def without_texture(x: torch.Tensor, radius: float, contrast: float) -> torch.Tensor:
    """`x` without what has less than about `contrast` within `radius`; edges stay.

    The guided filter, guided by `x` itself (He et al., ECCV 2010); of a wide window only every few pixels are seen,
    as in He and Sun, 2015.
    """
    pixels = max(1, round(radius * unit(x)))
    step = max(1, pixels // 4)
    seen, pixels = x[..., ::step, ::step], round(pixels / step)

    def mean(t: torch.Tensor) -> torch.Tensor:
        t = F.pad(t, (pixels,) * 4, mode="replicate")
        return F.avg_pool2d(F.avg_pool2d(t, (2 * pixels + 1, 1), 1), (1, 2 * pixels + 1), 1)

    average = mean(seen)
    variance = (mean(seen * seen) - average.square()).clamp_min(0).mean(1, keepdim=True)
    share = variance / (variance + contrast**2)
    kept, added = (F.interpolate(mean(t), size=x.shape[2:], mode="bilinear") for t in (share, average * (1 - share)))
    return kept * x + added


def _weighed(colors: torch.Tensor) -> torch.Tensor:
    """Colours, (n, 3), whose distances are those of colours, with LIGHTNESS times as much of lightness in them."""
    return colors + (LIGHTNESS - 1) * colors.mean(1, keepdim=True)


def towards_colors(
    x: torch.Tensor, real: torch.Tensor, share: float, costs: torch.Tensor | None = None
) -> torch.Tensor:
    """`x`, (1, 3, H, W) in [-1, 1], with each colour moved by `share` of the way to those nearest to it in `real`.

    That is a mean of some, and where these are far apart it is none of them. With `costs`, (1, 1, *real.shape[2:]),
    what is added to the squared distances to the colours of each pixel, mean shift leads what is in none of them on to
    one (Comaniciu and Meer, 2002).
    """
    colors = real.flatten(2)[0].T
    chosen = some(colors, PALETTE)
    palette = colors[chosen]
    cost = 0.0 if costs is None else costs.flatten()[chosen]

    def nearest(some: torch.Tensor, cost: torch.Tensor | float, soft: float) -> tuple[torch.Tensor, torch.Tensor]:
        near = torch.cdist(_weighed(some), _weighed(palette)).square() + cost
        least = near.amin(1, keepdim=True)
        return torch.softmax(-near / (SOFTNESS + soft * least), 1) @ palette, least

    # Colours in between are interpolated: of a lattice of them, those that `x` lies between are moved.
    axis = torch.linspace(-1, 1, LATTICE, device=x.device)
    lattice = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).view(-1, 3)
    between, found = _corners(x), []
    for part in lattice[between].split(LATTICE**2):  # all at once, the distances may take 160 MB
        mean, least = nearest(part, 0.0, 0.25)
        if costs is not None:
            one = nearest(part, cost, 0.25)[0]
            for _ in range(SHIFTS):
                one = nearest(one, cost, 0.0)[0]
            mean = torch.lerp(mean, one, (least / STRANGE).clamp(max=1))
        found.append(mean)
    lattice[between] = torch.cat(found)
    moved = lattice.T.reshape(1, 3, LATTICE, LATTICE, LATTICE)
    at = x.movedim(1, -1).flip(-1)[:, None]  # grid_sample wants the last axis of the lattice first
    return x + share * (F.grid_sample(moved, at, padding_mode="border", align_corners=True)[:, :, 0] - x)


def _corners(x: torch.Tensor) -> torch.Tensor:
    """Which colours of the lattice those of `x`, (1, 3, H, W) in [-1, 1], lie between: (LATTICE**3,), bool."""
    low = ((x.flatten(2)[0].clamp(-1, 1) + 1) * (LATTICE - 1) / 2).long().clamp_(max=LATTICE - 2)
    cells = torch.zeros((LATTICE - 1,) * 3, device=x.device)
    cells[low.unbind()] = 1
    return (F.max_pool3d(F.pad(cells[None], (1,) * 6), 2, 1) > 0).flatten()


def some(points: torch.Tensor, most: int) -> torch.Tensor:
    """The numbers of so many of the `points`, (n, any), at random, or of all; the same ones each time."""
    return torch.randperm(len(points), generator=torch.Generator().manual_seed(0))[:most].to(points.device)


def matched_values(x: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """`x`, one channel in [-1, 1], with its values moved, in their order, so that all are as frequent as in `real`: the
    optimal transport of one dimension. What is equal stays equal, at the middle of what it would spread over."""
    at = ((x.clamp(-1, 1) + 1) * (LEVELS - 1) / 2).flatten()
    counts = torch.bincount(at.round().long(), minlength=LEVELS).cpu().double()
    share = ((counts.cumsum(0) - counts / 2) / len(at)).float()
    ordered = real.flatten().sort().values
    table = ordered[(share * (len(ordered) - 1)).round().long().to(real.device)]
    below = at.floor().long().clamp(max=LEVELS - 2)
    return torch.lerp(table[below], table[below + 1], at - below).view_as(x)

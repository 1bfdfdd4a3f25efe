"""The patches of several pictures at one level, or of one and its mirror image, searched and carried as if they were
those of one.

Several pictures stand below one another, each in a slot as high and as wide as the largest of them, so that row y of
all is row y % height of picture y // height. A mirror image stands to the right of its picture. Patches that are not
wholly of one picture are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from singan.patches.search import PATCH, SIDEWAYS, Keys, Patches, prepare

FAR = 100.0  # in each direction, where no patch of a picture is: nothing is as near as that


class Several(Patches):
    """Patches of which those that are not wholly of one picture are left out."""

    kept: torch.Tensor  # the numbers among `keys` of the others
    picture: torch.Tensor | None = None  # that each of these is of, where voters pay for some

    def leave_out(self, inside: torch.Tensor) -> None:
        """All patches but those that are `inside`, (rows, columns), bool."""
        self.kept = inside.flatten().nonzero()[:, 0]
        self.keys[~inside.flatten()] = FAR

    def placed(self, g: float) -> Keys:
        if g not in self._prepared:
            down, across = self.within(self.kept // self.shape[1], self.kept % self.shape[1])
            places = torch.stack([g * down, SIDEWAYS * g * across], 1)
            keys = prepare(torch.cat([self.keys[self.kept].float(), places], 1))
            self._prepared[g] = keys._replace(picture=self.picture)
        return self._prepared[g]

    def numbers(self, found: torch.Tensor) -> torch.Tensor:
        return self.kept[found]


class Atlas(Several):
    """All patches of several `images`, each (1, 3, any, any). `size` is that of a slot, `pictures` are the sizes of the
    images, `image` is all of them, (1, 3, pictures * height, width)."""

    def __init__(
        self, images: Sequence[torch.Tensor], filters: torch.Tensor, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(below_one_another(images), filters, dtype)
        self.images = list(images)
        self.pictures = tuple((image.shape[2], image.shape[3]) for image in images)
        self.size, device = slot(self.pictures), self.image.device
        sides = torch.tensor(self.pictures, device=device).repeat_interleave(self.size[0], 0)[: self.shape[0]]
        self.row = torch.arange(self.shape[0], device=device) % self.size[0]  # within its picture
        self.sides = sides.unbind(1)  # (height, width) of the picture that a row is of
        inside = self.row[:, None] <= self.sides[0][:, None] - PATCH
        self.leave_out(inside & (torch.arange(self.shape[1], device=device) <= self.sides[1][:, None] - PATCH))
        self.picture = self.kept // self.shape[1] // self.size[0]

    def within(self, y: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.row[y] / self.sides[0][y], x / self.sides[1][y]


class Mirrored(Several):
    """All patches of an image, (1, 3, h, w), and of its mirror image: `image`, (1, 3, h, 2 * w), is both."""

    def __init__(self, image: torch.Tensor, filters: torch.Tensor, dtype: torch.dtype = torch.float32) -> None:
        super().__init__(beside_its_mirror_image(image), filters, dtype)
        self.images, self.width = [image], image.shape[3]
        x = torch.arange(self.shape[1], device=image.device)
        self.leave_out(((x <= self.width - PATCH) | (x >= self.width)).expand(self.shape))

    def within(self, y: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return y / self.size[0], x % self.width / self.width


def beside_its_mirror_image(image: torch.Tensor) -> torch.Tensor:
    """Images, (N, 3, H, W), and to the right of each its mirror image: (N, 3, H, 2 * W)."""
    return torch.cat([image, image.flip(3)], 3)


def slot(pictures: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """(height, width) of what holds each of several pictures."""
    return max(height for height, _ in pictures), max(width for _, width in pictures)


def below_one_another(images: Sequence[torch.Tensor]) -> torch.Tensor:
    """Images (1, 3, any, any) in slots of one size, whose rest shows their borders: (1, 3, images * height, width)."""
    height, width = slot([(image.shape[2], image.shape[3]) for image in images])
    padded = [
        F.pad(image, (0, width - image.shape[3], 0, height - image.shape[2]), mode="replicate") for image in images
    ]
    return torch.cat(padded, 2)

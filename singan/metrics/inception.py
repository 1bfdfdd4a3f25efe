"""The first layers of Inception-v3, whose features SIFID compares.

The weights are not shipped: `FILE` is TensorFlow's network of 2015, on which FID is defined, as the project pytorch-fid
converted it (91 MB). torchvision's inception_v3_google-0cc3c7bd.pth has the same layers under the same names but other
weights, and is what the published SinGAN code loads. Scores of the two are on different scales.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open

from singan.errors import CheckpointError, one_line
from singan.torchfile import MAX_BYTES, read

FILE = "pt_inception-2015-12-05-6726825d.pth"
VARIABLE = "SINGAN_INCEPTION"
MISSING = (
    f"there are no weights of Inception; download {FILE}, 91 MB, from the releases of "
    f"github.com/mseitzer/pytorch-fid, and give it with --inception PATH or {VARIABLE}"
)
EPSILON = 1e-3  # of batch norm
LAYERS = {  # channels out and in, kernel, stride, padding
    "Conv2d_1a_3x3": (32, 3, 3, 2, 0),
    "Conv2d_2a_3x3": (32, 32, 3, 1, 0),
    "Conv2d_2b_3x3": (64, 32, 3, 1, 1),
    "Conv2d_3b_1x1": (80, 64, 1, 1, 0),
    "Conv2d_4a_3x3": (192, 80, 3, 1, 0),
}
POOLED = "Conv2d_3b_1x1"  # whose input is pooled first
DEPTHS = {64: 3, 192: 5}  # channels -> layers up to there
STATISTICS = ("weight", "bias", "running_mean", "running_var")


def tensor_shapes() -> dict[str, tuple[int, ...]]:
    """The tensors that are read of a file, by their names in torchvision's Inception3."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (channels, inputs, kernel, _, _) in LAYERS.items():
        shapes[f"{name}.conv.weight"] = (channels, inputs, kernel, kernel)
        shapes |= {f"{name}.bn.{kind}": (channels,) for kind in STATISTICS}
    return shapes


@dataclass(frozen=True)
class Inception:
    """The layers, batch norm folded into the convolutions: (weight, bias) by name; and the file they are from."""

    layers: Mapping[str, tuple[torch.Tensor, torch.Tensor]]
    source: str = ""
    sha256: str = ""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Inception:
        """From a file of torch.save, which is not unpickled, or a .safetensors with the same names.

        Raises `CheckpointError` if it is missing, damaged, or of another network.
        """
        where = Path(path)
        tensors = _read(where)
        for name, shape in tensor_shapes().items():
            _check(tensors.get(name), name, shape, where)
        digest = hashlib.sha256(where.read_bytes()).hexdigest()
        return cls({name: _folded(tensors, name) for name in LAYERS}, where.name, digest)

    def maps(self, image: torch.Tensor, channels: int = 192) -> torch.Tensor:
        """Features of `image`, (1, 3, H, W) in [-1, 1], which is what the network was trained on: (1, channels, h, w).

        64 channels: before the first pooling, each of 11 px at a stride of 2. 192: before the second, 23 px at 4. The
        image is not resized.
        """
        x = image.float()
        for name, (_, _, _, stride, padding) in list(LAYERS.items())[: DEPTHS[channels]]:
            if name == POOLED:
                x = F.max_pool2d(x, 3, 2)
            weight, bias = (one.to(x.device) for one in self.layers[name])
            x = F.conv2d(x, weight, bias, stride, padding).relu_()
        return x


def find_weights(given: str | os.PathLike[str] | None = None) -> Path | None:
    """The path that is `given`, or in the environment variable SINGAN_INCEPTION, or of `FILE` in torch.hub's cache."""
    kept = Path(torch.hub.get_dir()) / "checkpoints" / FILE
    named = given or os.environ.get(VARIABLE) or (kept if kept.is_file() else None)
    return Path(named) if named else None


def _read(path: Path) -> dict[str, torch.Tensor]:
    shapes = tensor_shapes()
    if path.suffix != ".safetensors":
        try:
            return dict(read(path, only=shapes))
        except CheckpointError as error:
            raise CheckpointError(f"The weights of Inception: {error}") from None
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{path} has {path.stat().st_size} bytes; the limit is {MAX_BYTES:.0g}.")
        with safe_open(path, "pt") as file:
            names = [name for name in shapes if name in file.keys()]  # noqa: SIM118
            fitting = [name for name in names if tuple(file.get_slice(name).get_shape()) == shapes[name]]
            return {name: file.get_tensor(name) for name in fitting}
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror or one_line(error)}); check the path.") from None
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged ({one_line(error)}); download it again.") from None


def _check(tensor: object, name: str, shape: tuple[int, ...], path: Path) -> None:
    if not isinstance(tensor, torch.Tensor) or tuple(tensor.shape) != shape or not tensor.is_floating_point():
        raise CheckpointError(f"{path} holds no Inception-v3: {name} of shape {list(shape)} is not in it.")
    if not tensor.isfinite().all() or (name.endswith("running_var") and (tensor < 0).any()):
        raise CheckpointError(f"{path} is damaged: {name} holds what is no weight; download it again.")


def _folded(tensors: Mapping[str, torch.Tensor], name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of the convolution that computes the layer's convolution and batch norm."""
    scale, shift, mean, var = (tensors[f"{name}.bn.{kind}"].double() for kind in STATISTICS)
    factor = scale / (var + EPSILON).sqrt()
    weight = tensors[f"{name}.conv.weight"].double() * factor.view(-1, 1, 1, 1)
    return weight.float(), (shift - mean * factor).float()

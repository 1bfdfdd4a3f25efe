"""What one trained pyramid can do beyond sampling; one file a task, PIL images in and out."""

from singan.tasks.animation import animate, animation_config, iter_frames
from singan.tasks.denoising import denoise
from singan.tasks.editing import edit
from singan.tasks.filling import extend, fill
from singan.tasks.harmonization import harmonize
from singan.tasks.injection import TaskEvent
from singan.tasks.painting import paint_to_image
from singan.tasks.super_resolution import super_resolution_config, super_resolve
from singan.tasks.variation import retarget, variation_map

__all__ = [
    "TaskEvent",
    "animate",
    "animation_config",
    "denoise",
    "edit",
    "extend",
    "fill",
    "harmonize",
    "iter_frames",
    "paint_to_image",
    "retarget",
    "super_resolution_config",
    "super_resolve",
    "variation_map",
]

"""Scores of samples: `singan.metrics.score` for all of them, or one by one (docs/metrics.md)."""

from singan.metrics.distortion import psnr as psnr
from singan.metrics.distortion import rmse as rmse
from singan.metrics.distortion import ssim as ssim
from singan.metrics.distribution import frechet_distance as frechet_distance
from singan.metrics.distribution import sifid as sifid
from singan.metrics.diversity import diversity as diversity
from singan.metrics.inception import Inception as Inception
from singan.metrics.niqe import NaturalScenes as NaturalScenes
from singan.metrics.niqe import niqe as niqe
from singan.metrics.patches import coherence as coherence
from singan.metrics.patches import misplaced as misplaced
from singan.metrics.patches import swd as swd
from singan.metrics.report import Report as Report
from singan.metrics.report import score as score
from singan.metrics.sources import color_legend as color_legend
from singan.metrics.sources import color_sources as color_sources

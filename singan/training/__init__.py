"""Learning a photograph, scale by scale (SinGAN sec. 2.3; what departs from it: docs/engine.md)."""

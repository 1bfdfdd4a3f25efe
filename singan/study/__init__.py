"""A user study: are generated pictures taken for photographs (SinGAN sec. 4.2)? docs/study.md."""

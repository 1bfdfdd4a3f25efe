"""The training image's own patches: searched, voted with, and carried to any size."""

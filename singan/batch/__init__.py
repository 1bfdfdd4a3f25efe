"""One command for many pictures: what is to be done, a manifest of what was, and the machines that do it."""

"""One ticket after another through the stages, to the published archive. Specification: chapter "Lander"."""

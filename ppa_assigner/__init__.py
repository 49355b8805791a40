"""The pool of archives that tickets build in. Specification: chapter "PPA Assigner"."""

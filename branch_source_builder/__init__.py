"""Sources into an archive, watched until they are built. Specification: chapter "Branch/Source Builder"."""

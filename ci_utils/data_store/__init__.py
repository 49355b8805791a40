"""The data store: port, local directory, signed URLs, and what serves them."""

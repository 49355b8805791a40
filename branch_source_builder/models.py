"""None: all state is the work request's row, the archive's build records and the data store's logs."""

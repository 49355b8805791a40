"""Real servers for the tests, started on loopback for one run and ended with it."""

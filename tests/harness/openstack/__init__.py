"""Real OpenStack servers for the tests, from an environment of their own: their pins are not the engine's."""

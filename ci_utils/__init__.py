"""The shared library of the Ubuntu CI Engine. It knows no service."""

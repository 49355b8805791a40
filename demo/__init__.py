"""One real package, end to end, on one machine: what `bin/demo` runs."""

"""`ubuntu-ci`: makes tickets and follows them; talks to the ticket system only."""

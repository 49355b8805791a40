"""The verbs of the ticket system: the only code that changes tickets."""

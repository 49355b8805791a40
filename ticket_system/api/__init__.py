"""The REST resources of the ticket system. Specification: "Ticket System", "REST APIs"."""

"""The ticket system: tickets, subtickets, uploads and their artifacts; the only writer of ticket state.

Specification: chapter "Ticket System".
"""

"""Actors: mailbox, seats, supervisor. The only importer of pykka."""

"""Ways in which the conversation with the guest can end badly."""


class ProtocolError(Exception):
    """The guest has sent what the protocol does not allow; the message is one line."""


class GuestGone(Exception):
    """The guest has closed a connection: it has ended, as it was asked to or not."""

"""What can go wrong with process images. None of it ever reaches whoever asked for an operation."""

from producer.errors import LeanFleetError


class ImageError(LeanFleetError):
    """A process could not be frozen or thawed."""


class ImagesUnavailableError(ImageError):
    """This machine cannot freeze processes; the message says what is missing."""


class ImageRefusedError(ImageError):
    """An image is damaged, not of this fleet, or does not fit this machine: CRIU never saw it."""

"""Resources of the image builder."""

from image_builder.api import BuildImageResource, ImageBuilderResource

RESOURCES = [BuildImageResource(), ImageBuilderResource()]

"""The image builder: a base image, archives and packages become a bootable image.

Specification: chapter "Image Builder". It keeps no state of its own: a request
is a row of the work queue, images lie in the image store.
"""

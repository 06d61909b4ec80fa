"""foldwise: from a folder of images and a table to a submission you can trust."""

__version__ = "0.1.0"

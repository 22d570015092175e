"""The screens on which the pages must look well: width and height in CSS pixels."""

SIZES = {"7-inch": (800, 480), "1080p": (1920, 1080), "phone": (390, 844)}

"""Send notices by mail and webhook; one module for each channel."""

"""One module for each way by which a notice leaves the portal."""

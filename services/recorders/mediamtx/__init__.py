"""MediaMTX, through its playback server."""

"""Read footage from recorders; one package for each kind, all behind ``protocol.Recorder``."""

"""Read footage from recorders; one module for each kind, all behind ``base.Recorder``."""

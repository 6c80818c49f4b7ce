"""The commands of ``footage-desk``; one module for each group, each adds its commands by ``add_to(app)``."""

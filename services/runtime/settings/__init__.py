"""The settings: one module for each part, and the class that has them all."""

from services.runtime.settings.whole import Settings, SettingsError, all_settings, unknown_variables, variable

__all__ = ["Settings", "SettingsError", "all_settings", "unknown_variables", "variable"]

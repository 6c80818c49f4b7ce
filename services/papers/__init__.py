"""The numbered documents as an office signs them: laid out from their data alone, set as PDF/A."""

from services.papers.setting import render

__all__ = ["render"]

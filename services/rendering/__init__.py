"""Render documents as PDF/A with their data attached; what a document says lies in its capability."""

"""Recorders of GB/T 28181, through the HTTP API of a gateway: WVP-PRO or LiveGBS."""

"""Registers of storage: sites and keepers, devices, numbered media; disposal of what is past its retention."""

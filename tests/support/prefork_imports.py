"""Imported by the process that ``prefork`` forks the others from, before the first fork."""

import gc

from cheap_passwords import use_cheap_passwords
from prefork import import_product

import_product()
use_cheap_passwords()
gc.freeze()

"""Imported by the process that ``prefork`` forks the others from, before the first fork."""

import gc

from built_portal import built, portal_over
from cheap_passwords import use_cheap_passwords
from prefork import import_product

from services.app import container

import_product()
use_cheap_passwords()
container.create_app = portal_over
built()
gc.freeze()

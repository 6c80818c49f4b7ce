"""Redacted copies: pictures decoded, boxes drawn into them, and encoded anew, in a confined process."""

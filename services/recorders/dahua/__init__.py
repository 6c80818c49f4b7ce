"""Dahua, through the CGI of its HTTP API."""

"""Single sign on."""

"""Put the application together: objects, server roles, routers, and the check of the set-up."""

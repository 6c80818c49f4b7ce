"""The administrator's desk: recorders, cameras, rules, agreements, and the examination of the set-up."""

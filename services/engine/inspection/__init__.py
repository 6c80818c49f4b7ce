"""Looking on: what runs, where it stands and what has stopped it, for people without Operate; and letting it go on."""

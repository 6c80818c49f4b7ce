"""The routes of the API about storage, a module for each noun."""

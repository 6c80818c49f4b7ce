"""Channels of notices against wrong answers: the answers, what becomes of each, and the tables of docs/notices.md."""

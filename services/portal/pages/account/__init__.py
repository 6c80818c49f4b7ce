"""My account: language, password, second factor, sessions, absences, the confidentiality agreement."""

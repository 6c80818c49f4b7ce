"""People, posts, departments and absences, for administrators."""

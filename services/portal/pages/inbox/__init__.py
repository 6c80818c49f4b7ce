"""The reviewers' pages: the inbox, and one review with its questions, its footage and its signature."""

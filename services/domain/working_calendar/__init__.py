"""Keep the working calendar, and compute the limits of reviews that count working time (T11)."""

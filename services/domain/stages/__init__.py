"""Read the review stages from their file: who decides, which questions, which outcomes (R22 to R27, R39)."""

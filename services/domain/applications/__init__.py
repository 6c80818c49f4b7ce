"""Draft, complete, submit and file applications (R3, R4, R8, R9, R16 to R23, R28)."""

"""Where footage comes from: one module for each kind of recorder."""

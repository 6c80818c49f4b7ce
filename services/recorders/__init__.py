"""Where footage comes from: one package for each kind of recorder."""

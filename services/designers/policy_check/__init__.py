"""Walk an edited set of models through everything that may happen, and hold the policy's rules to it."""

"""Step through a case of edited models in the browser, on the engine in memory."""

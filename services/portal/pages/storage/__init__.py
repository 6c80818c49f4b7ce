"""The storage office's page: releases, footage on its way as it happens, recorders, quarantine."""

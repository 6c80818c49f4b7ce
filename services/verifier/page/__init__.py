"""``verify.html``: the verifier a second time, for a browser without network, independent of the one in Python."""

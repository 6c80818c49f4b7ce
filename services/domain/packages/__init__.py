"""Evidence packages that the portal is asked for: who may, the second person's approval, and handing them out."""

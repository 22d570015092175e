"""TLS: the owner's certificate or one of this machine's own authority; the machine's names."""

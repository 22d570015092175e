"""Access control: keys, the sign-in of the pages, and the origin of a request."""

"""What the tests of a running server share: the process, clients that speak to it, and pictures to send."""

"""One file or folder per wire protocol. `dialect` says what each of them has to state."""

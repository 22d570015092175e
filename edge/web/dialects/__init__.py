"""One file or folder per wire protocol; `dialect` defines what each must declare."""

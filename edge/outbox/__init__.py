"""Store and forward: frames that wait for the online model. Only this room knows sqlite3."""

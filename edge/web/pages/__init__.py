"""Pages for people: kiosk, wall, phone and pairing, and the routes behind them."""

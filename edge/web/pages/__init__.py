"""Pages for people: front page, kiosk, wall, phone and pairing, and the routes behind them."""

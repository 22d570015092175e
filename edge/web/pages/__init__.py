"""What people look at: kiosk, wall, phone and pairing pages, and the routes that feed them."""

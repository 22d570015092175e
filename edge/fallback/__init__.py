"""When the edge is unsure: policy, budget and link of the online model. Owns Google's library."""

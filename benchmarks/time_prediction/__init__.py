"""How far predicted times can be believed: published networks that no fit has seen, against what they take here."""

"""The names that cells find in a session, whatever the branch is made of."""

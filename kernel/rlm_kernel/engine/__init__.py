"""One trajectory: card → model turn → cells on a branch → bounded output → … → answer."""

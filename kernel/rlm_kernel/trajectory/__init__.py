"""What happened in a run: events, the journal that holds them, and the `Run` they fold into."""

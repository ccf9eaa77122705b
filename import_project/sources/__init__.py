"""The sender's side: one class a protocol, all with the interface of `base.Source`. What is new is not decided here."""

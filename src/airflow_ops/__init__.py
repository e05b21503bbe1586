"""The controller's side: logic that filters, action plugins and the command line share."""

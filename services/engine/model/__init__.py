"""Parse and check BPMN and DMN files."""

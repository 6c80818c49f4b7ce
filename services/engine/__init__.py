"""The embedded engine: runs BPMN and DMN and speaks Zeebe's gateway protocol."""

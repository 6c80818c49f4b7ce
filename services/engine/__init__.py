"""Run BPMN and DMN, and speak Zeebe's gateway protocol."""

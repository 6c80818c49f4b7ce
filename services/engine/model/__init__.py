"""Parse BPMN and DMN into immutable objects, and reject what is not supported."""

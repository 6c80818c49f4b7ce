"""BPMN and DMN, parsed into small immutable objects; what is not supported is refused here."""

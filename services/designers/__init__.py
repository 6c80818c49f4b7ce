"""What process designers need besides the models: element templates, descriptions, checks, BPMN tools."""

"""What designers need besides the models: element templates, checks, and the tools for BPMN files."""

"""The process engine for administrators: what Operate shows where Camunda runs the processes."""

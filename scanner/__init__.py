"""The engine: reads a repository and turns it into facts, a flow graph, findings and a report."""

"""Route handlers of the pages, one module per group of pages."""

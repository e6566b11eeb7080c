"""Block tests of the DMA."""

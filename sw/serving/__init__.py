"""An inference engine of continuous batching with a cost model, above a KV store: the device, or plain LRU."""

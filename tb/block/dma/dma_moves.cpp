// What the block test of the DMA must know of a running copy in addition to the checks of tb/dpi/memory.cpp.
#include "../../dpi/memory.h"

extern "C" {

// 1 when a burst of this copy was answered with SLVERR or DECERR.
int kvpy_dma_move_failed(int id) { return kv::moves[id].failed; }

// Bursts of this copy that are accepted and not answered to the end.
int kvpy_dma_move_outstanding(int id) { return kv::moves[id].outstanding; }
}

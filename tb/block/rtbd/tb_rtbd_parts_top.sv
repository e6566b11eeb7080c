/// Testbench top of three small parts: FREE_REQUEST over all banks (Python plays the banks' walks and their FIFOs of
/// freed slots), the hash of the banks, and the counters.
module tb_rtbd_parts_top
  import kvcpu_pkg::*;
#(
  /// As of kvcpu_rtbd_free and kvcpu_hash.
  parameter int unsigned LANES = 16,
  /// As of kvcpu_hash.
  parameter int unsigned ROWS  = 4096
);
  logic        clk;
  logic        rst_n;
  logic [63:0] cycle;

  logic                      clear, start, done;
  logic [CountW-1:0]         removed, stayed;
  logic [LANES-1:0]          bank_done, bank_removed, bank_stayed;
  logic [LANES-1:0]          freed_valid, freed_moving, freed_pop;
  logic [2*LANES-1:0]        freed_tier;
  logic [SlotW*LANES-1:0]    freed_slot;
  logic [MoveIdW*LANES-1:0]  freed_move_id;
  logic                      hold, put_valid, aborts;
  logic [1:0]                put_tier;
  logic [SlotW-1:0]          put_slot;
  logic [MoveIdW-1:0]        abort_move_id;

  // Rows of a key.
  logic [63:0]               key;
  logic [LANES*RowW-1:0]     rows;

  // Events, a bit or a number of them, in the order of counters_t.
  logic                      count_clear;
  logic [10:0]               events;  // hit first
  logic [4:0]                evict_dropped, prefetch_dropped;
  logic [5:0]                parity;
  logic [1:0][63:0]          bytes_moved, errors, voids;
  logic [$bits(counters_t)-1:0] counters;

  tb_clock u_clock (
    .clk_o  (clk),
    .rst_no (rst_n),
    .cycle_o(cycle)
  );

  kvcpu_rtbd_free #(
    .LANES(LANES)
  ) u_free (
    .clk_i          (clk),
    .rst_ni         (rst_n),
    .clear_i        (clear),
    .start_i        (start),
    .done_o         (done),
    .removed_o      (removed),
    .stayed_o       (stayed),
    .bank_done_i    (bank_done),
    .bank_removed_i (bank_removed),
    .bank_stayed_i  (bank_stayed),
    .freed_valid_i  (freed_valid),
    .freed_tier_i   (freed_tier),
    .freed_slot_i   (freed_slot),
    .freed_moving_i (freed_moving),
    .freed_move_id_i(freed_move_id),
    .freed_pop_o    (freed_pop),
    .wait_i         (hold),
    .put_valid_o    (put_valid),
    .put_tier_o     (put_tier),
    .put_slot_o     (put_slot),
    .abort_o        (aborts),
    .abort_move_id_o(abort_move_id)
  );

  kvcpu_hash #(
    .LANES(LANES),
    .ROWS (ROWS)
  ) u_hash (
    .request_id_i(key[63:48]),
    .layer_head_i(key[47:32]),
    .block_i     (key[31:0]),
    .row_o       (rows)
  );

  kvcpu_counters u_counters (
    .clk_i               (clk),
    .rst_ni              (rst_n),
    .clear_i             (count_clear),
    .hit_i               (events[0]),
    .miss_i              (events[1]),
    .denied_i            (events[2]),
    .miss_dropped_i      (events[3]),
    .completion_dropped_i(events[4]),
    .evict_dropped_i     (evict_dropped),
    .prefetch_dropped_i  (prefetch_dropped),
    .scan_coalesced_i    (events[5]),
    .scan_done_i         (events[6]),
    .hint_miss_i         (events[7]),
    .ref_saturated_i     (events[8]),
    .ref_underflow_i     (events[9]),
    .cmd_refused_i       (events[10]),
    .parity_i            (parity),
    .bytes_moved_i       (bytes_moved),
    .errors_i            (errors),
    .voids_i             (voids),
    .counters_o          (counters)
  );

  initial begin
    key              = '0;
    count_clear      = 1'b0;
    events           = '0;
    evict_dropped    = '0;
    prefetch_dropped = '0;
    parity           = '0;
    bytes_moved      = '0;
    errors           = '0;
    voids            = '0;
    clear         = 1'b0;
    start         = 1'b0;
    bank_done     = '1;
    bank_removed  = '0;
    bank_stayed   = '0;
    freed_valid   = '0;
    freed_moving  = '0;
    freed_tier    = '0;
    freed_slot    = '0;
    freed_move_id = '0;
    hold          = 1'b0;
  end
endmodule

// For a search for runs that reach cover points (Yosys' techmap): each is the failure of an assert of its name.

(* techmap_celltype = "$cover" *)
module kvcpu_covers (
  input A,
  input EN
);
  \$assert _TECHMAP_REPLACE_ (.A(!A), .EN(EN));
endmodule

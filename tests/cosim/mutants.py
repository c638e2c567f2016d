"""Planted mistakes in the systolic RTL: one textual edit each, which the co-simulation must notice.

Each edit is a mistake that someone could make: a lost sign, a wrong delay, a handshake term left out. Edits that change
nothing observable (such as repeating a memory write during a stall) are not listed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Mutant:
    """One edit of one file of one core; `old` occurs exactly once in the file."""

    name: str
    dataflow: Literal["ws", "os"]
    file: str
    old: str
    new: str

    def apply(self, sources: dict[str, str]) -> dict[str, str]:
        """Return `sources` with the edit made.

        Raises
        ------
        ValueError
            If `old` does not occur exactly once.
        """
        text = sources[self.file]
        if text.count(self.old) != 1:
            raise ValueError(f"mutant {self.name}: {self.old!r} occurs {text.count(self.old)} times in {self.file}")
        return {**sources, self.file: text.replace(self.old, self.new)}


MUTANTS = (
    # Arithmetic
    Mutant("mac_subtracts", "ws", "tw_mac.sv", "assign sum = addend + ", "assign sum = addend - "),
    Mutant("mac_adds_operands", "os", "tw_mac.sv", "(a_signed) * PRODUCT_W", "(a_signed) + PRODUCT_W"),
    Mutant("mac_drops_input_sign", "ws", "tw_mac.sv", "(INPUT_SIGNED != 0) & a[INPUT_W-1]", "1'b0"),
    Mutant("mac_drops_weight_sign", "os", "tw_mac.sv", "(WEIGHT_SIGNED != 0) & w[WEIGHT_W-1]", "1'b0"),
    Mutant("mac_signs_unsigned_input", "ws", "tw_mac.sv", "(INPUT_SIGNED != 0) & a", "a"),
    Mutant("mac_signs_unsigned_weight", "os", "tw_mac.sv", "(WEIGHT_SIGNED != 0) & w", "w"),
    Mutant("mac_narrow_product", "ws", "tw_mac.sv", "= INPUT_W + WEIGHT_W + 1", "= INPUT_W + WEIGHT_W - 1"),
    # Skid buffers
    Mutant("skid_forgets_after_a_cycle", "ws", "tw_skid.sv", "full <= out_valid &", "full <= in_valid &"),
    Mutant("skid_always_ready", "os", "tw_skid.sv", "assign in_ready  = ~full;", "assign in_ready  = 1'b1;"),
    Mutant("skid_overwrites", "os", "tw_skid.sv", "if (~full) kept <=", "kept <="),
    Mutant("skid_shows_new_word", "ws", "tw_skid.sv", "full ? kept : in_data", "in_data"),
    Mutant("skid_reset_full", "os", "tw_skid.sv", "if (rst) full <= 1'b0;", "if (rst) full <= 1'b1;"),
    # Delays and skew
    Mutant(
        "delay_one_short",
        "ws",
        "tw_delay.sv",
        "assign q = line[DEPTH*DATA_W-1-:",
        "assign q = line[(DEPTH>1?DEPTH-1:1)*DATA_W-1-:",
    ),
    Mutant("delay_ignores_stall", "os", "tw_delay.sv", "else if (ce) line", "else line"),
    Mutant(
        "input_skew_missing",
        "ws",
        "systolic_array_ws.sv",
        ".DEPTH (r)\n      ) u_skew_a ",
        ".DEPTH (0)\n      ) u_skew_a ",
    ),
    Mutant("swap_skew_missing", "ws", "systolic_array_ws.sv", ".DEPTH (r),", ".DEPTH (0),"),
    Mutant("weight_skew_missing", "os", "systolic_array_os.sv", ".DEPTH (c)\n", ".DEPTH (0)\n"),
    Mutant("alignment_reversed", "os", "systolic_array_os.sv", "(COLS - 1 - c)", "(c)"),
    # Counters
    Mutant("counter_one_beat_more", "os", "tw_fold_counter.sv", "beats - 1'b1", "beats"),
    Mutant("counter_one_row_fold_less", "ws", "tw_fold_counter.sv", "row == final_row;", "row + 1'b1 == final_row;"),
    Mutant("counter_row_never_wraps", "ws", "tw_fold_counter.sv", "row_last ? '0 : row + 1'b1", "row + 1'b1"),
    Mutant("counter_ends_at_first_column", "os", "tw_fold_counter.sv", "(col == final_col)", "1'b1"),
    Mutant("counter_not_reset", "os", "tw_fold_counter.sv", "if (rst) active <= 1'b0;", "if (rst) active <= active;"),
    Mutant(
        "counter_end_beats_start",
        "os",
        "tw_fold_counter.sv",
        "else if (start) active",
        "else if (start & ~active) active",
    ),
    # Weight-stationary element
    Mutant("ws_shadow_waits_for_swap", "ws", "systolic_pe_ws.sv", "(~shadow_full | swap_in)", "~shadow_full"),
    Mutant("ws_swap_late", "ws", "systolic_pe_ws.sv", "if (swap_in) active", "if (swap_out) active"),
    Mutant("ws_swap_skipped", "ws", "systolic_pe_ws.sv", "if (swap_in) active <= shadow;", "active <= shadow;"),
    Mutant("ws_shadow_never_empties", "ws", "systolic_pe_ws.sv", "(shadow_full & ~swap_in)", "shadow_full"),
    Mutant("ws_weight_kept_and_passed", "ws", "systolic_pe_ws.sv", "w_valid_in & ~keep", "w_valid_in"),
    Mutant(
        "ws_shadow_not_reset", "ws", "systolic_pe_ws.sv", "shadow_full <= 1'b0;", "shadow_full <= shadow_full === 1'b1;"
    ),
    Mutant("ws_flags_ignore_stall", "ws", "systolic_pe_ws.sv", "end else if (ce) begin", "end else begin"),
    Mutant("ws_column_off_by_one", "ws", "systolic_array_ws.sv", "(a_net[r*(COLS+1)+c]),", "(a_net[r*(COLS+1)]),"),
    # Accumulator
    Mutant("acc_no_forwarding", "ws", "systolic_accumulator.sv", "forward ? ahead : stored", "stored"),
    Mutant("acc_forwards_any_address", "ws", "systolic_accumulator.sv", "write & (add_addr == addr)", "write"),
    Mutant("acc_first_fold_adds", "ws", "systolic_accumulator.sv", "add_row_first ? '0 : partial", "partial"),
    Mutant("acc_address_runs_on", "ws", "systolic_accumulator.sv", "addr + 1'b1;", "addr + 2'd2;"),
    Mutant(
        "acc_emits_partial_sums",
        "ws",
        "systolic_accumulator.sv",
        "out_valid <= add_valid & add_row_last",
        "out_valid <= add_valid",
    ),
    Mutant(
        "acc_last_flag_early",
        "ws",
        "systolic_accumulator.sv",
        "out_last      <= add_job_last",
        "out_last      <= in_job_last",
    ),
    # Weight-stationary sequencer
    Mutant("ws_load_after_swap", "ws", "systolic_control_ws.sv", "(~shadow_complete | a_swap)", "~shadow_complete"),
    Mutant("ws_stream_before_weights", "ws", "systolic_control_ws.sv", " & (~stream_first | shadow_complete)", ""),
    Mutant("ws_stream_ignores_stall", "ws", "systolic_control_ws.sv", "assign a_ready = ce & ", "assign a_ready = "),
    Mutant(
        "ws_bubble_between_jobs",
        "ws",
        "systolic_control_ws.sv",
        "~stream_active | (a_enter & a_job_last)",
        "~stream_active",
    ),
    Mutant(
        "ws_job_taken_late", "ws", "systolic_control_ws.sv", "~load_active | (w_enter & load_job_last)", "~load_active"
    ),
    Mutant(
        "ws_job_overwritten",
        "ws",
        "systolic_control_ws.sv",
        "job_ready = load_free & next_free",
        "job_ready = load_free",
    ),
    Mutant("ws_swap_every_vector", "ws", "systolic_control_ws.sv", "a_enter & stream_first", "a_enter"),
    Mutant("ws_tags_early", "ws", "systolic_ws.sv", ".DEPTH (ROWS + COLS)", ".DEPTH (ROWS + COLS - 1)"),
    # Output-stationary element
    Mutant("os_sum_not_cleared", "os", "systolic_pe_os.sv", "first_out ? '0 : total", "total"),
    Mutant("os_bubbles_count", "os", "systolic_pe_os.sv", "if (valid_out) total", "total"),
    Mutant("os_shift_before_result", "os", "systolic_pe_os.sv", "if (finished) d_out", "if (finished & ~shift) d_out"),
    Mutant("os_drain_shifts_once", "os", "systolic_pe_os.sv", "drain_start | draining", "drain_start"),
    Mutant("os_drain_never_stops", "os", "systolic_pe_os.sv", "shift & ~finished", "shift"),
    # Output-stationary sequencer
    Mutant("os_drain_chain_overrun", "os", "systolic_control_os.sv", "(~pair_last | (drain_wait == '0))", "1'b1"),
    Mutant(
        "os_drain_waits_too_long",
        "os",
        "systolic_control_os.sv",
        "drain_wait <= ROW_W'(ROWS - 1)",
        "drain_wait <= ROW_W'(ROWS)",
    ),
    Mutant("os_drain_starts_early", "os", "systolic_control_os.sv", ".DEPTH (ROWS + 1)", ".DEPTH (ROWS)"),
    Mutant("os_results_early", "os", "systolic_control_os.sv", ".DEPTH (ROWS + COLS)", ".DEPTH (ROWS + COLS - 1)"),
    Mutant("os_tlast_early", "os", "systolic_control_os.sv", "(rows_left == ROW_W'(1))", "(rows_left == ROW_W'(2))"),
    Mutant(
        "os_row_missing",
        "os",
        "systolic_control_os.sv",
        "rows_left <= ROW_W'(ROWS - 1)",
        "rows_left <= ROW_W'(ROWS - 2)",
    ),
    Mutant("os_pair_without_weight", "os", "systolic_os.sv", "(a_valid & w_valid)", "(a_valid)"),
    Mutant("os_job_end_bubble", "os", "systolic_control_os.sv", "~active | (pair_enter & job_last)", "~active"),
    Mutant(
        "os_drain_not_skewed", "os", "systolic_array_os.sv", ".drain_start(drain_net[c])", ".drain_start(drain_start)"
    ),
)

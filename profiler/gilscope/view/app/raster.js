// The raster of a lane: the rule of view/data/columns.py, and a test compares the two.

import { CALLBACK, NOTHING } from "./states.js"

/**
 * Time of each state in each column, in columns: Float64Array[kinds * width].
 * @param {import("./segments.js").Segments} segments
 * @param {[from: number, to: number]} rows Those of the lane that are in view.
 * @param {number} left ns
 * @param {number} right ns
 * @param {number} width Columns.
 * @param {number} kinds Number of states.
 * @param {import("./kept.js").Kept | null} kept null for all segments.
 */
export function shares(segments, [from, to], left, right, width, kinds, kept) {
  const { start, state } = segments
  const scale = width / (right - left)
  const result = new Float64Array(kinds * width)
  for (let row = from; row < to; row++) {
    if (state[row] === NOTHING || (kept && !kept.segment(segments, row))) continue
    const offset = state[row] * width
    const x0 = Math.max(0, (start[row] - left) * scale)
    const x1 = Math.min(width, (start[row + 1] - left) * scale)
    const last = Math.min(width - 1, Math.floor(x1))
    for (let column = Math.floor(x0); column <= last; column++) {
      const part = Math.min(x1, column + 1) - Math.max(x0, column)
      if (part > 0) result[offset + column] += part
    }
  }
  return result
}

/**
 * Stack the shares of a lane: u8[rows, width], bottom row first, a state's value plus 1.
 * @param {Float64Array} share
 * @param {number} width
 * @param {number} rows
 * @param {import("./types.js").Looks} looks
 */
export function stacked(share, width, rows, looks) {
  const result = new Uint8Array(rows * width)
  for (let column = 0; column < width; column++) {
    let bottom = 0
    for (const code of looks.stack) {
      const part = share[code * width + column]
      if (part <= 0) continue
      let height = Math.floor(part * looks.height[code] * rows + 0.5)
      if (looks.stalled[code] || code === CALLBACK) {
        height = Math.max(height, Math.floor(rows / looks.least))
      }
      const top = Math.min(rows, bottom + height)
      for (let row = bottom; row < top; row++) result[row * width + column] = code + 1
      bottom = top
    }
  }
  return result
}

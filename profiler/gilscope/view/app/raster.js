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

/** Adds up the time of each state in each column over many lanes, without a look at each column. */
export class Spread {
  /**
   * @param {number} left ns
   * @param {number} right ns
   * @param {number} width Columns.
   * @param {number} kinds Number of states.
   */
  constructor(left, right, width, kinds) {
    this.left = left
    this.scale = width / (right - left)
    this.width = width
    this.parts = new Float64Array(kinds * width)
    /** Where whole columns begin to be filled (1) and cease to be (-1). */
    this.steps = new Float64Array(kinds * width + 1)
  }

  /**
   * @param {import("./segments.js").Segments} segments
   * @param {[from: number, to: number]} rows Those of a lane that are in view.
   * @param {import("./kept.js").Kept | null} kept null for all segments.
   */
  add(segments, [from, to], kept) {
    const { start, state } = segments, { left, scale, width, parts, steps } = this
    for (let row = from; row < to; row++) {
      if (state[row] === NOTHING || (kept && !kept.segment(segments, row))) continue
      const offset = state[row] * width
      const x0 = Math.max(0, (start[row] - left) * scale)
      const x1 = Math.min(width, (start[row + 1] - left) * scale)
      if (x1 <= x0) continue
      const first = Math.floor(x0), last = Math.min(width - 1, Math.floor(x1))
      if (first === last) {
        parts[offset + first] += x1 - x0
        continue
      }
      parts[offset + first] += first + 1 - x0
      parts[offset + last] += x1 - last
      steps[offset + first + 1] += 1
      steps[offset + last] -= 1
    }
  }

  /** Float64Array[kinds * width]. */
  sums() {
    const result = this.parts.slice()
    for (let at = 0, level = 0; at < result.length; at++) {
      level = (at % this.width ? level : 0) + this.steps[at]
      result[at] += level
    }
    return result
  }
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

// What is drawn over the lanes of a timeline: the chosen segment and what leads from it, arrows from
// the longest waits, and when native code waited to get into Python.

import { WAITING_GIL, WAITING_LOCK } from "./states.js"

const MOST_ARROWS = 5
const LEAST_WAIT = 12  // pixels, of a wait that has an arrow
const APART = 120  // pixels, between arrows
const HALF = 0.5  // of a lane's height: what is hatched

/** @typedef {import("./painter.js").Painter} Painter */
/** @typedef {import("./types.js").Choice} Choice */

/**
 * Put a frame around a segment, and a line from its end to another lane.
 * @param {Painter} painter
 * @param {Choice | null} choice
 */
export function draw_choice(painter, choice) {
  const { timeline } = painter
  const chosen = no_boxes()
  const link = /** @type {Record<"x0" | "y0" | "x1" | "y1", number[]>} */ (
    { x0: [], y0: [], x1: [], y1: [] })
  const level = choice?.timeline === timeline ? timeline.level(choice.lane) : null
  if (choice && level !== null) {
    const bottom = painter.bottom(choice.lane), x = timeline.to_axis(choice.end)
    chosen.left.push(timeline.to_axis(choice.start))
    chosen.right.push(x)
    chosen.bottom.push(bottom)
    chosen.top.push(bottom + painter.band)
    const other = choice.other >= 0 ? timeline.seat(choice.other) : null
    if (other !== null) {
      link.x0.push(x)
      link.x1.push(x)
      link.y0.push(level)
      link.y1.push(other)
    }
  }
  painter.chosen.data = chosen
  painter.link.data = link
  dim(painter, choice)
}

/**
 * Dim what a finding does not speak of: all lanes but its own and the one that it leads to.
 * @param {Painter} painter
 * @param {Choice | null} choice
 */
function dim(painter, choice) {
  const { timeline } = painter
  const data = no_boxes()
  const mine = choice?.timeline === timeline
    ? [choice.lane, choice.other].map((lane) => timeline.seat(lane)) : []
  for (const lane of choice?.alone ? painter.visible() : []) {
    const level = Number(timeline.level(lane)), half = timeline.height_of(lane) / 2
    if (mine.includes(level)) continue
    data.left.push(timeline.to_axis(0))
    data.right.push(timeline.to_axis(timeline.duration))
    data.bottom.push(level - half)
    data.top.push(level + half)
  }
  painter.veil.data = data
}

/**
 * The longest waits in view that lead to another lane, each [time, lane, lane of the other thread].
 * @param {Painter} painter
 * @param {number} from
 * @param {number} to
 * @param {import("./types.js").RowsOf[]} rows_of
 * @param {import("./kept.js").Kept} kept
 */
export function longest_waits({ timeline, width }, from, to, rows_of, kept) {
  const pixel = (to - from) / width
  /** @type {{ length: number, time: number, lane: number, peer: number }[]} */
  const found = []
  for (const [lane, [low, high], segments] of rows_of) {
    if (timeline.lanes[lane].kind !== "thread") continue
    const { start, state, code, count } = segments
    for (let row = low; row < high; row++) {
      // Several waits that were merged have no one holder.
      if ((state[row] !== WAITING_GIL && state[row] !== WAITING_LOCK) || count[row] !== 1) continue
      const length = start[row + 1] - start[row]
      if (length < LEAST_WAIT * pixel || !kept.segment(segments, row)) continue
      const [, peer, held] = timeline.codes[code[row]]
      if (peer < 0 || timeline.seat(peer) === null || timeline.seat(peer) === timeline.seat(lane)) continue
      // Who held it did so when the wait began; who ended it did so at its end.
      const time = held ? start[row] : start[row + 1]
      if (time >= from && time <= to) found.push({ length, time, lane, peer })
    }
  }
  found.sort((a, b) => b.length - a.length)
  /** @type {typeof found} */
  const chosen = []
  for (const one of found) {
    if (chosen.length === MOST_ARROWS) break
    if (chosen.every(({ time }) => Math.abs(time - one.time) >= APART * pixel)) chosen.push(one)
  }
  return chosen
}

/**
 * Draw arrows from the longest waits to the lanes of the threads that they waited for.
 * @param {Painter} painter
 * @param {number} from
 * @param {number} to
 * @param {import("./types.js").RowsOf[]} rows_of None: no arrows.
 * @param {import("./kept.js").Kept} kept
 */
export function draw_arrows(painter, from, to, rows_of, kept) {
  const { timeline } = painter
  const data = /** @type {Record<"x0" | "y0" | "x1" | "y1" | "angle", number[]>} */ (
    { x0: [], y0: [], x1: [], y1: [], angle: [] })
  for (const { time, lane, peer } of longest_waits(painter, from, to, rows_of, kept)) {
    const [begin, end] = [Number(timeline.seat(lane)), Number(timeline.seat(peer))]
    data.x0.push(timeline.to_axis(time))
    data.x1.push(timeline.to_axis(time))
    data.y0.push(begin)
    data.y1.push(end)
    data.angle.push(end > begin ? 0 : Math.PI)
  }
  painter.arrows.data = data
}

/**
 * Hatch the lower half of lanes of callbacks where any of them waits to get in; those that touch in
 * a pixel are one.
 * @param {Painter} painter
 * @param {number} from
 * @param {number} to
 */
export function draw_entries(painter, from, to) {
  const { timeline, width, band } = painter, { entries } = timeline
  const data = no_boxes()
  const pixel = (to - from) / width
  let last = -1, last_end = 0
  for (let row = 0; entries && row < entries.start.length; row++) {
    const lane = entries.lane[row], start = entries.start[row], end = start + entries.duration[row]
    if (end < from || start > to || !timeline.has_place(lane)) continue
    const right = timeline.to_axis(Math.max(end, start + pixel))
    if (lane === last && start - last_end < pixel) data.right[data.right.length - 1] = right
    else {
      const bottom = painter.bottom(lane)
      data.left.push(timeline.to_axis(start))
      data.right.push(right)
      data.bottom.push(bottom)
      data.top.push(bottom + band * HALF)
    }
    last = lane
    last_end = Math.max(end, start + pixel)
  }
  painter.entries.data = data
}

/** The columns of boxes, empty. */
export function no_boxes() {
  return /** @type {Record<"left" | "right" | "bottom" | "top", number[]>} */ (
    { left: [], right: [], bottom: [], top: [] })
}

// Groups of threads that share one lane (view/data/groups.py), and how many of them do what.

import { Spread } from "./raster.js"
import { count_text, safe } from "./text.js"

/** Height of a group's lane in lanes of threads. */
export const POOL_HEIGHT = 3
const ROWS = 96  // of a group's picture
const FROM = 8  // threads that share a lane; fewer, where filters leave so few, have one each

/** @typedef {import("./timeline.js").Timeline} Timeline */

/**
 * The groups of a timeline; their lanes follow all others.
 * @param {import("./types.js").Lane[]} lanes
 * @param {import("./types.js").Column | undefined} group Number of the group of each thread, or -1.
 * @param {import("./types.js").GroupMeta[]} groups
 * @returns {import("./types.js").Pool[]}
 */
export function pools_of(lanes, group, groups) {
  const pools = groups.map(({ name, peak }, number) =>
    ({ name, peak, lane: lanes.length + number, members: /** @type {number[]} */ ([]) }))
  group?.forEach((number, lane) => { if (number >= 0) pools[number].members.push(lane) })
  return pools
}

/** What a group's lane is called. @param {import("./types.js").Pool} pool @param {number[]} members Those that are kept. */
export const pool_label = ({ name }, members) => `${name} × ${count_text(members.length)}`

/** Whether threads are so many that they share a lane. @param {number[]} members */
export const many = (members) => members.length >= FROM

/**
 * How many threads are in each state, column by column: Float64Array[kinds * width].
 * @param {Timeline} timeline
 * @param {number[]} members
 * @param {number} left ns
 * @param {number} right ns
 * @param {number} width Columns.
 * @param {number} kinds
 * @param {import("./kept.js").Kept | null} kept null for all segments.
 */
export function counts(timeline, members, left, right, width, kinds, kept) {
  const spread = new Spread(left, right, width, kinds)
  for (const lane of members) {
    const segments = timeline.segments_of(lane, left, right)
    spread.add(segments, segments.seen(lane, left, right), kept)
  }
  return spread.sums()
}

/**
 * The picture of a group, one area a state: u8[ROWS, width], bottom row first, a state's value plus 1.
 * @param {Float64Array} sums How many threads are in each state.
 * @param {number} width
 * @param {number} peak How many fill the lane.
 * @param {import("./types.js").Looks} looks
 */
export function areas(sums, width, peak, looks) {
  const pixels = new Uint8Array(ROWS * width)
  for (let column = 0; column < width; column++) {
    let level = 0, bottom = 0
    for (const code of looks.stack) {
      const count = sums[code * width + column]
      if (!(count > 0)) continue
      level += count
      // A wait of one thread among thousands is seen, too.
      const least = looks.stalled[code] ? bottom + 1 : bottom
      const top = Math.min(ROWS, Math.max(least, Math.round((level / Math.max(1, peak)) * ROWS)))
      for (let row = bottom; row < top; row++) pixels[row * width + column] = code + 1
      bottom = top
    }
  }
  return { pixels, rows: ROWS }
}

/**
 * What is told of a group at a moment.
 * @param {Timeline} timeline
 * @param {import("./types.js").Pool} pool
 * @param {number[]} members
 * @param {number} time
 * @param {import("./types.js").Looks} looks
 */
export function pool_tip(timeline, pool, members, time, looks) {
  const found = looks.label.map(() => 0)
  for (const lane of members) {
    const segments = timeline.segments_of(lane, time, time), row = segments.at(lane, time)
    if (row >= 0) found[segments.state[row]] += 1
  }
  const alive = found.reduce((sum, one) => sum + one, 0)
  const lines = looks.stack.flatMap((code) => (found[code] ? [`${count_text(found[code])} ${safe(looks.label[code])}`] : []))
  return [`<b>${safe(pool_label(pool, members))}</b> at ${(time / 1e6).toFixed(3)} ms`, ...lines,
          `${count_text(alive)} alive, ${count_text(pool.peak)} at most`].join("<br>")
}

// Sampled stacks: a track below the lane of each thread, coloured by the function that ran.

import { no_boxes } from "./marks.js"
import { safe } from "./text.js"

/** Height of a track, as part of a lane's. */
export const TRACK = 0.2
const GAP = 0.02

/**
 * Samples one by one, if there are any.
 * @param {import("./types.js").Columns} columns
 * @param {string} prefix
 */
export function samples_of(columns, prefix) {
  if (!columns[`${prefix}start`]) return null
  return {
    lane: columns[`${prefix}lane`],
    start: columns[`${prefix}start`],
    duration: columns[`${prefix}duration`],
    label: columns[`${prefix}label`],
  }
}

/**
 * The boxes of the tracks in a stretch of time; those of one stack that touch in a pixel are one.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {number} from
 * @param {number} to
 * @param {number} pixel ns
 * @param {(lane: number) => number} top Of a lane's track.
 */
export function track_boxes(timeline, from, to, pixel, top) {
  const { samples, sampled } = timeline
  const data = { ...no_boxes(), color: /** @type {string[]} */ ([]) }
  /** @type {Map<number, { end: number, label: number, place: number }>} */
  const last = new Map()
  for (let row = 0; samples && row < samples.start.length && samples.start[row] < to; row++) {
    const start = samples.start[row], end = start + samples.duration[row]
    const lane = samples.lane[row], label = samples.label[row], before = last.get(lane)
    if (end < from || !timeline.has_place(lane)) continue
    if (before && start - before.end < pixel && (before.label === label || end - start < pixel)) {
      before.end = Math.max(before.end, end)
      data.right[before.place] = timeline.to_axis(before.end)
      continue
    }
    last.set(lane, { end, label, place: data.left.length })
    data.left.push(timeline.to_axis(start))
    data.right.push(timeline.to_axis(Math.max(end, start + pixel)))
    data.bottom.push(top(lane) - TRACK + GAP)
    data.top.push(top(lane) - GAP)
    data.color.push(sampled[label][1])
  }
  return data
}

/**
 * What is told of a moment of a thread.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {number} lane
 * @param {number} time
 * @returns {string[]}
 */
export function sample_tip(timeline, lane, time) {
  const { samples, sampled } = timeline
  for (let row = 0; samples && row < samples.start.length && samples.start[row] <= time; row++) {
    if (samples.lane[row] !== lane || samples.start[row] + samples.duration[row] < time) continue
    const frames = sampled[samples.label[row]][0]
    return frames.map((frame, depth) => `${depth ? "&nbsp;&nbsp;called by" : "sampled in"} ${safe(frame)}`)
  }
  return []
}

// The words in boxes and strips that have room for them: what a thread runs, what it waits for.

import { HOLDING, RUNNING, WAITING_GIL, WAITING_LOCK } from "./states.js"
import { called } from "./text.js"

/** As html/timeline.py has it. */
export const FONT = "10px Arial, sans-serif"
const ROOM = 10  // pixels, least height of a box with words
const PADDING = 8  // pixels, both sides together
const NARROWEST = 24  // pixels
const BRIGHT = 150  // luminance from 0 to 255 from which on words are dark
const DARK_WORDS = "#1F2933", LIGHT_WORDS = "#FFFFFF"

/** @typedef {import("./painter.js").Painter} Painter */
/** @typedef {import("./segments.js").Segments} Segments */
/** @typedef {{ x: number[], y: number[], text: string[], color: string[] }} Words */

/** @returns {Words} */
export function no_words() {
  return { x: [], y: [], text: [], color: [] }
}

/**
 * The colour of words on a colour, `#rrggbb`.
 * @param {string} color
 */
export function words_on(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16))
  return 0.299 * red + 0.587 * green + 0.114 * blue > BRIGHT ? DARK_WORDS : LIGHT_WORDS
}

/**
 * What may be said of a segment, the longest first.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {Segments} segments
 * @param {number} row
 * @returns {string[]}
 */
export function said_of(timeline, segments, row) {
  if (segments.count[row] > 1) return []
  const state = segments.state[row]
  const [lock, peer, held] = timeline.codes[segments.code[row]]
  const other = peer >= 0 ? timeline.lanes[peer].name : ""
  if (state === WAITING_GIL) return other && held ? [`waits for ${other}`, other] : ["waits for the GIL"]
  if (state === WAITING_LOCK && lock >= 0) {
    const name = called(timeline.locks[lock].name)
    const who = other ? [`waits for ${name}, ${held ? "held" : "ended"} by ${other}`] : []
    return [...who, `waits for ${name}`, name]
  }
  if (state !== HOLDING && state !== RUNNING) return []
  const detail = timeline.details[segments.detail?.[row] ?? -1]
  const frame = detail && timeline.stacks[detail[0]]?.[0]
  return frame ? [frame[0]] : []
}

/** Puts words into the boxes of one timeline. */
export class Writer {
  /**
   * @param {Painter} painter
   * @param {number} from Of the visible range, ns.
   * @param {number} to
   * @param {(text: string) => number} width Of a text in pixels.
   */
  constructor(painter, from, to, width) {
    this.painter = painter
    this.from = from
    this.to = to
    this.width = width
    this.words = no_words()
    /** Pixels of a lane. */
    this.height = painter.pixels
  }

  /**
   * Put the first of some texts that there is room for into a box, in the part of it that is seen.
   * @param {string[]} texts
   * @param {number} start ns
   * @param {number} end ns
   * @param {number} bottom Of a lane's height.
   * @param {number} top
   * @param {string} color
   */
  write(texts, start, end, bottom, top, color) {
    const { painter: { timeline, width }, from, to, words } = this
    if ((top - bottom) * this.height < ROOM) return
    const left = Math.max(start, from), right = Math.min(end, to)
    const room = ((right - left) / (to - from)) * width - PADDING
    if (room < NARROWEST - PADDING) return
    const text = texts.find((one) => this.width(one) <= room)
    if (!text) return
    words.x.push(timeline.to_axis((left + right) / 2))
    words.y.push((bottom + top) / 2)
    words.text.push(text)
    words.color.push(words_on(color))
  }

  /**
   * Write into the boxes of the lanes of threads.
   * @param {import("./types.js").RowsOf[]} rows_of
   * @param {import("./kept.js").Kept} kept
   */
  segments(rows_of, kept) {
    const { painter, painter: { timeline, looks, band } } = this
    const least = (NARROWEST / painter.width) * (this.to - this.from)
    for (const [lane, [from, to], segments] of rows_of) {
      if (timeline.lanes[lane].kind !== "thread") continue
      const spans = timeline.stretches_of(lane, this.from, this.to)
      const base = painter.bottom(lane)
      for (let row = from; row < to; row++) {
        if (segments.duration(row) < least || !kept.segment(segments, row)) continue
        const state = segments.state[row]
        // A strip of the program's own names stands in the upper part.
        const named = looks.height[state] === 1 &&
          spans.some(([start, end]) => start <= segments.start[row + 1] && end >= segments.start[row])
        if (named) continue
        this.write(said_of(timeline, segments, row), segments.start[row], segments.start[row + 1],
          base, base + band * looks.height[state], looks.color[state])
      }
    }
  }
}

// Asks the kernel of a page with merged segments for exact segments, pictures and stacks.

import { unpack } from "./payload.js"
import { Segments } from "./segments.js"
import { time_text } from "./text.js"

export class Kernel {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view
    this.queries = 0
    /** Why details are not available, for the status line. */
    this.gone = ""
  }

  /** Timelines whose merged segments are coarser than pixels, and that have no part of now. */
  wanted() {
    const { timelines, axis, painters } = this.view
    return timelines.filter((timeline) => {
      const [from, to] = axis.span(timeline)
      const fine = timeline.part && timeline.part.from <= from && timeline.part.to >= to
      return timeline.grain && !fine && timeline.grain * 2 > (to - from) / painters[0].width
    })
  }

  /** Ask for what the merged segments cannot show. */
  async refine() {
    const { view } = this
    const wanted = this.wanted()
    if (!wanted.length) {
      this.gone = ""
      return
    }
    const query = ++this.queries
    const limit = time_text(Math.max(...wanted.map((timeline) => timeline.grain)))
    if (!view.host.ask) {
      this.gone = `details down to ${limit}: shorter intervals are merged in a report`
      view.drawing.draw()
      return
    }
    const ranges = wanted.map((timeline) => [timeline.number, ...view.axis.span(timeline)])
    const lanes = wanted.map(({ number }) =>
      view.painters[number].visible().filter((lane) => view.timelines[number].lanes[lane].kind === "thread"))
    try {
      const [, [buffer]] = await view.host.ask("range", { query, ranges, lanes, width: view.painters[0].width })
      const answer = await unpack(buffer)
      if (query !== this.queries) return  // the latest range wins
      this.gone = ""
      view.axis.limit()
      for (const part of answer.parts) this.take(part, answer.columns)
      view.drawing.draw()
      view.table.show()
      view.chooser.resume()
    } catch (error) {
      this.gone = `zoom beyond ${limit} is off: ${message_of(error)}`
      view.axis.limit()
      view.drawing.draw()
    }
  }

  /**
   * @param {import("./types.js").RangePart} part
   * @param {import("./types.js").Columns} columns
   */
  take(part, columns) {
    const timeline = this.view.timelines[part.timeline]
    const [from, to] = this.view.axis.span(timeline)
    const prefix = `${part.timeline}.`
    if (part.offsets) {
      timeline.part = { from, to, segments: new Segments(timeline, columns, prefix, part.offsets, 0) }
      timeline.raster = null
      return
    }
    /** @type {Map<number, Uint8Array>} */
    const images = new Map()
    const pixels = columns[`${prefix}pixels`]
    const size = part.rows * part.width
    part.lanes.forEach((lane, place) =>
      images.set(lane, Uint8Array.from(pixels.subarray(place * size, (place + 1) * size))))
    timeline.raster = { from, to, width: part.width, images }
  }

  /**
   * The stacks of a segment by its row in the trace.
   * @param {number} timeline
   * @param {number} row
   * @returns {Promise<{ detail: import("./types.js").Detail, stacks: import("./types.js").Frame[][] } | null>}
   */
  async details(timeline, row) {
    const { view } = this
    if (!view.host.ask) return null
    try {
      const [message] = await view.host.ask("detail", { timeline, row })
      return message
    } catch (error) {
      this.gone = `stacks cannot be looked up: ${message_of(error)}`
      view.drawing.draw()
      return null
    }
  }
}

/** @param {unknown} error */
export const message_of = (error) => (error instanceof Error ? error.message : String(error))

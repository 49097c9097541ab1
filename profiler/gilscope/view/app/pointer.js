// The pointer: what is below it, what it selects and clicks.

import { cpu_tip } from "./cpu.js"
import { pool_tip } from "./pools.js"
import { sample_tip } from "./samples.js"
import { count_text, safe, time_text } from "./text.js"

const DRAG = 4  // pixels; a press that moves further is no click
const LEAST_SELECTION = 3  // pixels

/** @typedef {import("./types.js").Place} Place */

export class Pointer {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view
    /** @type {Place | null} Where it is. */
    this.place = null
    /** @type {[x: number, y: number] | null} Where a button was pressed, in the window. */
    this.pressed = null
    /** @type {[from: number, to: number] | null} Begin and end of a drag, on the axis. */
    this.selection = null
  }

  listen() {
    const { view } = this, { stage } = view
    /** @type {(name: string, action: (event: any) => void, capture: boolean) => void} */
    const on = (name, action, capture) => stage.addEventListener(name, view.guard(action), capture)
    on("pointermove", (event) => this.hover(event), false)
    on("pointerleave", () => this.leave(), false)
    on("pointerdown", (event) => {
      this.pressed = [event.clientX, event.clientY]
      this.begin_selection(event)
    }, true)
    on("pointermove", (event) => this.extend_selection(event), true)
    on("pointerup", () => this.end_selection(), true)
    on("pointercancel", () => this.drop_selection(), true)
    on("click", (event) => this.click(event), true)
  }

  /**
   * What is below a place in the window; null outside of all timelines.
   * @param {{ clientX: number, clientY: number }} event
   * @returns {Place | null}
   */
  locate({ clientX, clientY }) {
    const { range } = this.view.axis
    for (const { figure, timeline, top: first, window } of this.view.painters) {
      const shown = this.view.host.view_of(figure)
      if (!shown?.el) continue
      const { left, top } = shown.el.getBoundingClientRect()
      const { bbox } = shown.frame
      const x = (clientX - left - bbox.left) / bbox.width
      const y = (clientY - top - bbox.top) / bbox.height
      if (x < 0 || x > 1 || y < 0 || y >= 1) continue
      const value = range.start + x * (range.end - range.start)
      const time = timeline.from_axis(value)
      const lane = timeline.lane_at(first + y * window)
      if (timeline.pool(lane)) return { timeline, value, time, lane, segments: timeline.all, row: -1 }
      const segments = timeline.segments_of(lane, time, time)
      return { timeline, value, time, lane, segments, row: lane < 0 ? -1 : segments.at(lane, time) }
    }
    return null
  }

  /** @param {PointerEvent} event */
  hover(event) {
    this.place = this.locate(event)
    this.tell(this.place)
    const tip = this.view.find("tip")
    const area = this.view.box.getBoundingClientRect()
    const right = event.clientX - area.left
    tip.style.top = `${event.clientY - area.top + 18}px`
    tip.style.left = `${Math.max(4, Math.min(right + 12, area.width - tip.offsetWidth - 8))}px`
  }

  /** Tell what is at a place, if anything is. @param {Place | null} place */
  tell(place) {
    const tip = this.view.find("tip")
    const { looks } = this.view.data, pool = place?.timeline.pool(place.lane)
    tip.hidden = !pool && (!place || place.row < 0)
    if (tip.hidden || !place) return
    const { timeline, time } = place
    tip.innerHTML = pool ? pool_tip(timeline, pool, timeline.members(pool), time, looks) : tip_html(place, looks)
  }

  leave() {
    this.view.find("tip").hidden = true
    this.place = null
  }

  /** @param {MouseEvent} event */
  click(event) {
    const [x, y] = this.pressed ?? [event.clientX, event.clientY]
    if (Math.hypot(event.clientX - x, event.clientY - y) > DRAG) return
    const place = this.locate(event)
    if (!place) return
    const { box, chooser } = this.view
    box.focus({ preventScroll: true })
    if (place.row < 0) chooser.clear()
    else chooser.choose(place.timeline, place.lane, place.row, place.segments)
  }

  /** Shift and a drag choose a stretch of time; all else that is dragged is Bokeh's. @param {PointerEvent} event */
  begin_selection(event) {
    const place = event.shiftKey && event.button === 0 ? this.locate(event) : null
    if (!place) return
    event.stopPropagation()
    event.preventDefault()
    this.view.stage.setPointerCapture(event.pointerId)
    this.selection = [place.value, place.value]
  }

  /** @param {PointerEvent} event */
  extend_selection(event) {
    const { view } = this
    const shown = this.selection && view.host.view_of(view.painters[0].figure)
    if (!this.selection || !shown) return
    event.stopPropagation()
    const { el, frame: { bbox } } = shown
    const [frame, box] = [el.getBoundingClientRect(), view.box.getBoundingClientRect()]
    const { start, end } = view.axis.range
    const share = (event.clientX - frame.left - bbox.left) / bbox.width
    this.selection[1] = start + Math.min(1, Math.max(0, share)) * (end - start)
    const [low, high] = [...this.selection].sort((a, b) => a - b)
    const mark = view.find("selection")
    const left = frame.left - box.left + bbox.left - view.box.clientLeft
    mark.style.left = `${left + (bbox.width * (low - start)) / (end - start)}px`
    mark.style.width = `${(bbox.width * (high - low)) / (end - start)}px`
    // Not over the overview, which shows another stretch of time.
    const below = view.stage.getBoundingClientRect().bottom
    mark.style.top = `${frame.top - box.top - view.box.clientTop}px`
    mark.style.height = `${below - frame.top}px`
    mark.hidden = false
    view.find("tip").hidden = true
  }

  end_selection() {
    if (!this.selection) return
    const [low, high] = [...this.selection].sort((a, b) => a - b)
    const { axis, painters } = this.view
    const pixel = (axis.range.end - axis.range.start) / painters[0].width
    this.drop_selection()
    if (high - low > LEAST_SELECTION * pixel) axis.show(low, high)
  }

  drop_selection() {
    this.selection = null
    this.view.find("selection").hidden = true
  }
}

/**
 * What is told of the segment below the pointer.
 * @param {Place} place
 * @param {import("./types.js").Looks} looks
 */
export function tip_html({ timeline, lane, row, segments, time }, looks) {
  const { name, kind } = timeline.lanes[lane]
  const count = segments.count[row], thread = kind === "thread"
  const lines = [
    `<b>${safe(looks.label[segments.state[row]])}: ${time_text(segments.duration(row))}</b>`,
    `${safe(name)}, from ${(segments.start[row] / 1e6).toFixed(3)} ms`,
  ]
  if (thread) {
    const [lock, peer, held] = timeline.codes[segments.code[row]]
    if (lock >= 0) lines.push(`for ${safe(timeline.locks[lock].name)}`)
    if (peer >= 0) lines.push(`${held ? "held by" : "ended by"} ${safe(timeline.lanes[peer].name)}`)
    for (const span of timeline.spans_of(lane, time, time)) lines.push(`in ${safe(timeline.span_text(span))}`)
    lines.push(...sample_tip(timeline, lane, time))
    lines.push(...cpu_tip(timeline, lane, time))
  }
  if (count > 1) {
    lines.push(thread ? `${count_text(count)} intervals shorter than ${time_text(segments.grain)}, as one`
      : `${count_text(count)} of them, without a gap`)
  }
  return lines.join("<br>")
}

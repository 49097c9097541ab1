// Time: the position of the runs on the common axis, and the visible part of it.

const LEAST_SPAN = 1e-4  // of the visible range, ms
const GRAINS = 40  // in it, where what is shorter is merged

export class TimeAxis {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view
    this.range = view.document.get_model_by_name("time")
    this.whole = view.document.get_model_by_name("whole")
  }

  /** The visible part of a timeline in ns. @param {import("./timeline.js").Timeline} timeline */
  span(timeline) {
    const { start, end } = this.range
    return /** @type {[number, number]} */ ([timeline.from_axis(start), timeline.from_axis(end)])
  }

  /** @param {import("./types.js").Settings["align"]} by */
  align(by) {
    const { timelines, document, drawing } = this.view
    const longest = Math.max(1, ...timelines.map((timeline) => timeline.duration)) / 1e6
    let begin = 0, end = longest, label = "time since the start, ms"
    for (const timeline of timelines) {
      timeline.scale = by === "normalised" ? 100 / Math.max(1, timeline.duration) : 1e-6
      timeline.shift = by === "end" ? -timeline.duration / 1e6 : 0
      timeline.part = timeline.raster = null
    }
    if (by === "end") [begin, end, label] = [-longest, 0, "time before the end, ms"]
    if (by === "normalised") [end, label] = [100, "share of the run, %"]
    document.get_model_by_name("parallelism").below[0].axis_label = label
    this.whole.setv({ start: begin, end, reset_start: begin, reset_end: end })
    this.range.setv({ bounds: [begin, end], start: begin, end, reset_start: begin, reset_end: end })
    this.limit()
    drawing.draw_overview()
    this.view.changed()
  }

  align_next() {
    const { settings, data } = this.view
    const options = data.settings.find(({ name }) => name === "align")?.options ?? []
    const all = options.map(([by]) => by)
    this.view.set("align", all[(all.indexOf(settings.align) + 1) % all.length])
  }

  /** The order of what is merged is unknown: without a kernel to ask, one cannot zoom into it. */
  limit() {
    const { host, kernel, timelines } = this.view
    const limited = !host.ask || kernel.gone
    const least = timelines.map(({ grain, scale }) => (limited ? GRAINS * grain * scale : 0))
    this.range.min_interval = Math.max(LEAST_SPAN, ...least)
    this.show(this.range.start, this.range.end)
  }

  /** @param {number} start @param {number} end On the axis. */
  show(start, end) {
    const [low, high] = this.range.bounds
    const width = Math.min(high - low, Math.max(this.range.min_interval, end - start))
    const from = Math.min(Math.max(low, start), high - width)
    this.range.setv({ start: from, end: from + width })
  }

  /** Zoom around the pointer, or the middle. @param {number} factor */
  zoom(factor) {
    const { start, end } = this.range
    const middle = this.view.pointer.place?.value ?? (start + end) / 2
    const at = middle >= start && middle <= end ? middle : (start + end) / 2
    this.show(at - (at - start) * factor, at + (end - at) * factor)
  }

  /** @param {number} share Of what is visible. */
  pan(share) {
    const { start, end } = this.range
    this.show(start + share * (end - start), end + share * (end - start))
  }

  fit() {
    const [low, high] = this.range.bounds
    this.show(low, high)
  }

  /** Whether everything is visible. */
  fits() {
    const [low, high] = this.range.bounds
    return this.range.end - this.range.start >= (high - low) * 0.999
  }
}

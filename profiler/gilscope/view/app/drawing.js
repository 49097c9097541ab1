// Draws the visible range of all timelines, and what stands around them.

import { draw_arrows, draw_choice, draw_entries } from "./marks.js"
import { short_name, things, width_of } from "./text.js"

/** Letters of a lane's name, where there is room. */
export const NAME_LETTERS = 26
const FEWEST_LETTERS = 9
const PARALLELISM = ["Parallelism: threads that have a processor", "Parallelism"]
const WHOLE_RUN = [
  "The whole run: threads that have a processor; shaded: what is shown below",
  "The whole run: threads that have a processor",
  "The whole run",
]
const OVERVIEW_COLUMNS = 400
const MARK = 0.12  // how much the visible part is shaded in the overview

/** @typedef {import("./painter.js").Painter} Painter */
/**
 * What of a timeline is in view: segments by lane, groups, and how many segments these stand for.
 * @typedef {{ painter: Painter, from: number, to: number, rows_of: import("./types.js").RowsOf[],
 *   pools: import("./types.js").Pool[], shared: number }} Plan
 */

/**
 * The first of some titles that a figure has room for, or the last.
 * @param {string[]} titles
 * @param {import("./types.js").BokehModel} figure
 * @returns {string}
 */
export function fitting(titles, { inner_width, title }) {
  const font = `bold ${title.text_font_size} ${title.text_font}`
  return titles.find((text) => width_of(text, font) <= inner_width) ?? titles[titles.length - 1]
}

export class Drawing {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view
    /** @type {Plan[]} What is drawn now. */
    this.plans = []
  }

  figures() {
    const { document, timelines } = this.view
    const names = ["overview", "parallelism", ...timelines.map(({ number }) => `timeline-${number}`)]
    return names.map((name) => document.get_model_by_name(name))
  }

  /** In a narrow page, names, titles and ticks take less room. */
  fit_page() {
    const { view } = this
    const letters = Math.max(FEWEST_LETTERS, Math.min(NAME_LETTERS, Math.floor(view.box.clientWidth / 36)))
    if (letters !== view.letters) {
      view.letters = letters
      view.lanes.arrange()
      let longest = 0
      for (const { lanes } of view.timelines) {
        for (const { name } of lanes) longest = Math.max(longest, short_name(name, letters).length)
      }
      for (const figure of this.figures()) figure.min_border_left = 24 + 7 * longest
    }
    const ticks = Math.max(2, Math.min(8, Math.floor(view.painters[0].width / 60)))
    for (const figure of this.figures()) figure.below[0].ticker.desired_num_ticks = ticks
    for (const { figure, timeline } of view.painters) figure.title.text = fitting(timeline.titles, figure)
    // Where all is visible, nothing is shaded.
    const whole = view.axis.fits() ? WHOLE_RUN.slice(1) : WHOLE_RUN
    for (const [name, titles] of /** @type {const} */ ([["parallelism", PARALLELISM], ["overview", whole]])) {
      const figure = view.document.get_model_by_name(name)
      figure.title.text = fitting(titles, figure)
    }
  }

  draw() {
    const { view } = this
    const plans = this.plans = view.painters.map((painter) => this.plan(painter))
    let count = 0
    for (const { rows_of } of plans) for (const [, [low, high]] of rows_of) count += high - low
    const folded = plans.reduce((sum, { shared }) => sum + shared, 0)
    const few = count <= view.data.max_boxes && !plans.some(coarse)
    let progress = 1
    for (const plan of plans) progress = Math.max(progress, this.draw_one(plan, few))
    this.mark()
    view.document.get_model_by_name("parallelism-height").setv({ start: 0, end: progress * 1.08 })
    this.say(count + folded)
    view.gutter.show()
    view.find("tip").hidden = true
    // Where all is visible, there is nothing to mark.
    view.document.get_model_by_name("overview-mark")?.setv({ fill_alpha: view.axis.fits() ? 0 : MARK })
    view.box.dataset.drawn = few ? "boxes" : "raster"
  }

  /** Mark the choice; without one, the longest waits. */
  mark() {
    const { choice, kept } = this.view
    for (const { painter, from, to, rows_of } of this.plans) {
      draw_choice(painter, choice)
      draw_arrows(painter, from, to, choice ? [] : rows_of, kept)
    }
  }

  /** @param {Painter} painter @returns {Plan} */
  plan(painter) {
    const { timeline } = painter
    const [from, to] = this.view.axis.span(timeline)
    const seen = (/** @type {number} */ lane) => {
      const segments = timeline.segments_of(lane, from, to)
      return /** @type {import("./types.js").RowsOf} */ ([lane, segments.seen(lane, from, to), segments])
    }
    const lanes = painter.visible()
    const pools = timeline.pools.filter(({ lane }) => lanes.includes(lane))
    let shared = 0
    for (const pool of pools) {
      for (const lane of timeline.members(pool)) {
        if (timeline.has_place(lane)) continue
        const [, [low, high]] = seen(lane)
        shared += high - low
      }
    }
    const own = lanes.filter((lane) => timeline.lanes[lane].kind !== "group")
    return { painter, from, to, rows_of: own.map(seen), pools, shared }
  }

  /** Report the visible range and the number of segments in it. @param {number} count */
  say(count) {
    const { axis: { range }, settings, kernel } = this.view
    const unit = settings.align === "normalised" ? " %" : " ms"
    const [start, end] = [range.start, range.end].map((/** @type {number} */ value) => Number(value.toPrecision(6)))
    this.view.say(`${start} to ${end}${unit} · ${things(count, "segment")} in view` +
      (kernel.gone ? ` · ${kernel.gone}` : ""))
  }

  /** Draw one timeline; returns the most threads that make progress. @param {Plan} plan @param {boolean} few */
  draw_one({ painter, from: start, to: end, rows_of, pools }, few) {
    const { timeline } = painter, { kept, axis } = this.view
    const { raster } = timeline
    // The kernel draws what there is, whatever is filtered.
    const ready = kept.all && raster && raster.from === start && raster.to === end &&
      raster.width === painter.width ? raster.images : null
    const [from, to, width] = few || ready
      ? /** @type {[number, number, number]} */ ([start, end, painter.width]) : painter.grid(start, end)
    painter.draw_words(start, end, few ? rows_of : [], kept)
    if (few) painter.draw_boxes(rows_of, kept)
    const images = few ? [] : rows_of.map(([lane, , segments]) => {
      const pixels = ready?.get(lane) ?? painter.stacked(painter.shares(
        segments, segments.seen(lane, from, to), from, to, width, kept), width)
      return { lane, pixels, rows: painter.rows, left: from, right: to, width }
    })
    painter.draw_images([...images, ...pools.map((pool) => painter.group_image(pool, start, end, kept))])
    draw_entries(painter, start, end)
    painter.draw_spans(start, end, kept)
    painter.draw_samples(start, end)
    painter.box_view.visible = few
    painter.draw_ready(start, end)
    painter.draw_marks(axis.range)
    return painter.draw_progress(painter.parallelism, timeline.kept_threads, from, to, width)
  }

  /** Compute the curves above all: they show whole runs. */
  draw_overview() {
    let most = 1
    for (const painter of this.view.painters) {
      const { timeline } = painter
      most = Math.max(most, painter.draw_progress(
        painter.overview, timeline.threads(), 0, timeline.duration, OVERVIEW_COLUMNS))
    }
    this.view.document.get_model_by_name("overview-height").setv({ start: 0, end: most * 1.1 })
  }
}

/**
 * Whether a timeline cannot be drawn as boxes: there is a picture of it, or what is in view are
 * buckets of a long trace, within which the order is unknown.
 * @param {Plan} plan
 */
function coarse({ painter: { timeline }, from, to, rows_of }) {
  const { raster, tally, part, lanes } = timeline
  if (raster && raster.from === from && raster.to === to) return true
  return tally !== null && rows_of.some(([lane, , segments]) =>
    lanes[lane].kind === "thread" && segments !== part?.segments)
}

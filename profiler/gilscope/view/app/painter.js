// Draws the visible range of one timeline: boxes if few segments are in view, else a raster.

import { no_boxes } from "./marks.js"
import { areas, counts } from "./pools.js"
import { active, progress } from "./progress.js"
import { shares, stacked } from "./raster.js"
import { TRACK, track_boxes } from "./samples.js"
import { short_name, width_of } from "./text.js"
import { FONT, Writer, no_words } from "./words.js"

const FOOT = 0.18  // of a lane's height: what is drawn below the rest where there are samples
const FOOT_GAP = 0.01
const CLEARLY = 0.05  // share below which nothing is drawn
const ROOM_FOR_WORDS = 150  // pixels
const STRIP_PIXELS = 3  // a span is drawn at least so wide

export class Painter {
  /**
   * @param {import("./types.js").BokehDocument} document
   * @param {import("./timeline.js").Timeline} timeline
   * @param {import("./types.js").Scene} scene
   */
  constructor(document, timeline, { looks, rows, band }) {
    const named = (/** @type {string} */ name) =>
      document.get_model_by_name(`${name}-${timeline.number}`)
    this.timeline = timeline
    this.looks = looks
    this.rows = rows
    /** What a lane leaves for the track of samples. */
    this.track = timeline.samples ? TRACK : 0
    this.band = band - this.track
    this.figure = named("timeline")
    this.boxes = named("boxes")
    this.box_view = named("box-view")
    this.picture = named("picture")
    this.picture_view = named("picture-view")
    this.spans = named("spans")
    this.sampled = named("sampled")
    this.words = named("words")
    this.arrows = named("arrows")
    this.entries = named("entries")
    this.veil = named("veil")
    this.chosen = named("chosen")
    this.link = named("link")
    this.before = named("before")
    this.after = named("after")
    this.done = named("done")
    this.ready = named("ready")
    this.parallelism = named("parallelism")
    this.overview = named("overview")
    this.kinds = looks.height.length + 1
    /** What the figure was arranged for. */
    this.arranged = ""
    /** Lanes above those that are in view, and how many of these there are. */
    this.top = 0
    this.window = 1
    this.pixels = 1
    this.letters = 0
  }

  get width() {
    return Math.max(1, Math.round(this.figure.inner_width || 1000))
  }

  /**
   * Show the lanes that the timeline has now, as far as they fit.
   * @param {number} pixels Of a lane of a thread.
   * @param {number} room For all lanes together, pixels.
   * @param {number} letters Of a lane's name.
   */
  arrange(pixels, room, letters) {
    const { height } = this.timeline
    this.pixels = pixels
    this.letters = letters
    /** How many lanes are in view. */
    this.window = Math.max(1, Math.min(height, Math.floor(room / pixels)))
    this.figure.frame_height = this.window * pixels
    this.figure.left[0].major_label_text_font_size = `${Math.min(12, pixels - 2)}px`
    this.scroll(this.top)
  }

  /** Show the lanes from a distance from the top on, as far as there are any. @param {number} top */
  scroll(top) {
    const { lanes, height } = this.timeline
    this.top = Math.max(0, Math.min(top, height - this.window))
    const end = Math.max(1, height) - this.top, start = end - this.window
    this.figure.y_range.setv({ start, end, reset_start: start, reset_end: end })
    const named = this.visible().filter((lane) => lanes[lane].kind !== "group")
    const axis = this.figure.left[0], level = (/** @type {number} */ lane) => Number(this.timeline.level(lane))
    axis.major_label_overrides = new Map(
      named.map((lane) => [level(lane), short_name(lanes[lane].name, this.letters)]))
    axis.ticker.ticks = named.map(level)
    this.done.y = (start + end) / 2
  }

  /** Lanes that are in view. */
  visible() {
    return this.timeline.between(this.top, this.top + this.window)
  }

  /** Whether a lane is in view as a whole. @param {number} lane */
  sees(lane) {
    const { places } = this.timeline, begin = places.get(lane) ?? -1
    return begin >= this.top && begin + this.timeline.height_of(lane) <= this.top + this.window
  }

  /** Where drawing begins in a lane that has a place. @param {number} lane */
  bottom(lane) {
    const { timeline } = this, group = timeline.lanes[lane].kind === "group"
    const foot = timeline.cpu && !group ? FOOT + 2 * FOOT_GAP : (1 - this.band) / 2
    return Number(timeline.level(lane)) - timeline.height_of(lane) / 2 + foot + (group ? 0 : this.track)
  }

  /** How much of a lane is drawn on. @param {number} lane */
  depth(lane) {
    return this.timeline.height_of(lane) - 1 + this.band
  }

  /**
   * Draw lanes as boxes, as far as they are kept.
   * @param {import("./types.js").RowsOf[]} rows_of
   * @param {import("./kept.js").Kept} kept
   */
  draw_boxes(rows_of, kept) {
    const { timeline, looks, band } = this
    const data = { ...no_boxes(), color: /** @type {string[]} */ ([]) }
    for (const code of [...looks.stack].reverse()) {
      for (const [lane, [from, to], segments] of rows_of) {
        const { start, state } = segments
        const base = this.bottom(lane)
        for (let row = from; row < to; row++) {
          if (state[row] !== code || !kept.segment(segments, row)) continue
          data.left.push(timeline.to_axis(start[row]))
          data.right.push(timeline.to_axis(start[row + 1]))
          data.bottom.push(base)
          data.top.push(base + band * looks.height[code])
          data.color.push(looks.color[code])
        }
      }
    }
    this.boxes.data = data
  }

  /**
   * Write into boxes what they are, where there is room.
   * @param {number} from
   * @param {number} to
   * @param {import("./types.js").RowsOf[]} rows_of None where no boxes are drawn.
   * @param {import("./kept.js").Kept} kept
   */
  draw_words(from, to, rows_of, kept) {
    if (!rows_of.length) return void (this.words.data = no_words())
    const writer = new Writer(this, from, to, (text) => width_of(text, FONT))
    writer.segments(rows_of, kept)
    this.words.data = writer.words
  }

  /**
   * Draw spans as strips, none too short to be seen; those that touch in a pixel are one.
   * @param {number} from
   * @param {number} to
   * @param {import("./kept.js").Kept} kept
   */
  draw_spans(from, to, kept) {
    const { timeline, looks: { strip }, band } = this
    const { named } = timeline
    const data = no_boxes()
    const pixel = (to - from) / this.width, least = STRIP_PIXELS * pixel
    /** @type {Map<number, { start: number, end: number, place: number }>} */
    const last = new Map()
    for (let row = 0; named && row < named.start.length && named.start[row] < to; row++) {
      const start = named.start[row], end = start + named.duration[row], lane = named.lane[row]
      if (end < from || !timeline.has_place(lane) || !kept.span(timeline, row)) continue
      const depth = named.depth[row], key = 4 * lane + depth, before = last.get(key)
      if (before && start - before.end < pixel) {
        before.end = Math.max(before.end, end)
        data.right[before.place] = timeline.to_axis(Math.max(before.end, before.start + least))
        continue
      }
      last.set(key, { start, end, place: data.left.length })
      const middle = this.bottom(lane) + band * (1 - strip / 2)
      const half = (band * strip) / 2 / (depth + 1)
      data.left.push(timeline.to_axis(start))
      data.right.push(timeline.to_axis(Math.max(end, start + least)))
      data.bottom.push(middle - half)
      data.top.push(middle + half)
    }
    this.spans.data = data
  }

  /** Draw the tracks of samples. @param {number} from @param {number} to */
  draw_samples(from, to) {
    if (!this.track) return
    const pixel = (to - from) / this.width
    this.sampled.data = track_boxes(this.timeline, from, to, pixel, (lane) => this.bottom(lane))
  }

  /**
   * Time of each state in each column of a lane.
   * @param {import("./segments.js").Segments} segments
   * @param {[from: number, to: number]} rows
   * @param {number} left
   * @param {number} right
   * @param {number} width
   * @param {import("./kept.js").Kept | null} kept
   */
  shares(segments, rows, left, right, width, kept) {
    return shares(segments, rows, left, right, width, this.kinds, kept)
  }

  /**
   * The raster of a lane from its shares.
   * @param {Float64Array} share
   * @param {number} width
   */
  stacked(share, width) {
    return stacked(share, width, this.rows, this.looks)
  }

  /**
   * Columns of a raster: pixels, or of a long trace whole buckets.
   * @param {number} from
   * @param {number} to
   * @returns {[left: number, right: number, width: number]}
   */
  grid(from, to) {
    const { timeline, width } = this
    if (!timeline.tally) return [from, to, width]
    const { grain } = timeline.segments(from, to)
    if (!grain) return [from, to, width]
    const step = grain * Math.max(1, Math.ceil((to - from) / width / grain))
    const left = Math.floor(from / step) * step, right = Math.ceil(to / step) * step
    return [left, right, Math.max(1, Math.round((right - left) / step))]
  }

  /**
   * The picture of a group: how many of its threads are in which state.
   * @param {import("./types.js").Pool} pool
   * @param {number} from
   * @param {number} to
   * @param {import("./kept.js").Kept} kept
   * @returns {import("./types.js").LaneImage}
   */
  group_image(pool, from, to, kept) {
    const { timeline, kinds, looks } = this
    const [left, right, width] = this.grid(from, to)
    const sums = counts(timeline, timeline.members(pool), left, right, width, kinds, kept.all ? null : kept)
    return { lane: pool.lane, ...areas(sums, width, pool.peak, looks), left, right, width }
  }

  /** Draw images of lanes. @param {import("./types.js").LaneImage[]} images */
  draw_images(images) {
    this.picture_view.visible = images.length > 0
    if (!images.length) return
    const NDArray = this.picture.data.image[0].constructor
    const { timeline } = this
    this.picture.data = {
      image: images.map(({ pixels, rows, width }) => new NDArray(pixels, [rows, width])),
      x: images.map(({ left }) => timeline.to_axis(left)),
      y: images.map(({ lane }) => this.bottom(lane)),
      dw: images.map(({ left, right }) => timeline.to_axis(right) - timeline.to_axis(left)),
      dh: images.map(({ lane }) => this.depth(lane)),
    }
  }

  /**
   * Draw the threads that make progress, column by column; returns the most of them.
   * @param {import("./types.js").BokehModel} source
   * @param {number[]} lanes
   * @param {number} left ns
   * @param {number} right ns
   * @param {number} width
   */
  draw_progress(source, lanes, left, right, width) {
    const { timeline } = this
    const { curve, most } = progress(timeline, active(timeline, lanes, left, right, width), left, right)
    source.data = curve
    return most
  }

  /**
   * Draw the share of time that threads waited for a processor as a bar at the foot of their lanes.
   * @param {number} from
   * @param {number} to
   */
  draw_ready(from, to) {
    const { timeline } = this
    if (!timeline.cpu) return
    const data = no_boxes()
    const least = (2 * (to - from)) / this.width  // pixels
    for (const lane of this.visible()) {
      if (timeline.lanes[lane].kind !== "thread") continue
      for (const { start, end, ready } of timeline.cpu.stretches(lane, from, to, least)) {
        const share = ready / (end - start)
        if (share < CLEARLY) continue
        data.left.push(timeline.to_axis(start))
        data.right.push(timeline.to_axis(end))
        // It hangs from what it belongs to.
        const top = this.bottom(lane) - this.track - FOOT_GAP
        data.bottom.push(top - FOOT * share)
        data.top.push(top)
      }
    }
    this.ready.data = data
  }

  /**
   * Mark where the run begins and ends; words stand where there is room for them.
   * @param {{ start: number, end: number }} range
   */
  draw_marks(range) {
    const { timeline } = this
    const end = timeline.to_axis(timeline.duration), begin = timeline.to_axis(0)
    this.after.setv({ left: end, visible: end < range.end })
    this.before.setv({ right: begin, visible: begin > range.start })
    const x = Math.max(end, range.start)
    const room = ((range.end - x) / (range.end - range.start)) * this.width
    this.done.setv({ x, visible: room > ROOM_FOR_WORDS })
  }
}

// Draws the visible range of a timeline: boxes if few segments are in view, else a raster.
// The rule is the one of columns.py, and a test compares the two.

const ROUNDING = 1e-6  // columns

class Painter {
  constructor(document, timeline, data) {
    const named = (name) => document.get_model_by_name(`${name}-${timeline.number}`)
    Object.assign(this, { timeline, looks: data.looks, rows: data.rows, band: data.band })
    for (const name of ["timeline", "boxes", "picture", "chosen", "link", "box-view", "before",
                        "spans", "picture-view", "after", "done", "empty", "ready", "parallelism",
                        "overview"]) {
      this[name.replace("-", "_") + (name === "timeline" ? "_figure" : "")] = named(name)
    }
    this.figure = this.timeline_figure
    this.kinds = this.looks.height.length + 1
  }

  get width() {
    return Math.max(1, Math.round(this.figure.inner_width || 1000))
  }

  /** Show lanes from the top in this order; the figure gets the height that they take. */
  arrange(height, letters) {
    const { shown, lanes } = this.timeline
    const n = Math.max(1, shown.length)
    const places = shown.map((_, place) => n - place - 0.5)
    const axis = this.figure.left[0]
    axis.ticker.ticks = places
    axis.major_label_overrides = new Map(
      shown.map((lane, place) => [places[place], short_name(lanes[lane].name, letters)]))
    this.figure.y_range.setv({ start: 0, end: n })
    this.figure.frame_height = n * height
    this.done.y = n / 2
  }

  bottom(lane) {
    const foot = this.timeline.cpu ? FOOT + 2 * FOOT_GAP : (1 - this.band) / 2
    return this.timeline.level(lane) - 0.5 + foot
  }

  /** Draw lanes as boxes, as far as they are kept: [lane, [from, to], segments] each. */
  draw_boxes(rows_of, kept) {
    const { timeline, looks, band } = this
    const data = { left: [], right: [], bottom: [], top: [], color: [] }
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

  /** Draw spans as strips, none too short to be seen; those that touch in a pixel are one. */
  draw_spans(from, to, kept) {
    const { timeline, looks: { strip }, band } = this
    const { named } = timeline
    const data = { left: [], right: [], bottom: [], top: [] }
    const pixel = (to - from) / this.width, last = new Map()
    for (let row = 0; named && row < named.start.length && named.start[row] < to; row++) {
      const start = named.start[row], end = start + named.duration[row], lane = named.lane[row]
      if (end < from || !kept.span(timeline, row)) continue
      const depth = named.depth[row], key = 4 * lane + depth, before = last.get(key)
      if (before && start - before.end < pixel) {
        before.end = Math.max(before.end, end)
        data.right[before.place] = timeline.to_axis(Math.max(before.end, before.start + 3 * pixel))
        continue
      }
      last.set(key, { start, end, place: data.left.length })
      const middle = this.bottom(lane) + band * (1 - strip / 2)
      const half = (band * strip) / 2 / (depth + 1)
      data.left.push(timeline.to_axis(start))
      data.right.push(timeline.to_axis(Math.max(end, start + 3 * pixel)))
      data.bottom.push(middle - half)
      data.top.push(middle + half)
    }
    this.spans.data = data
  }

  /** Time of each state in each column, in columns: Float64Array[kinds * width]. `kept`: null for all. */
  shares(segments, [from, to], left, right, width, kept) {
    const { start, state } = segments
    const scale = width / (right - left)
    const result = new Float64Array(this.kinds * width)
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

  /** Stack the shares of a lane: u8[rows, width], bottom row first, a state's value plus 1. */
  stacked(share, width) {
    const { rows, looks } = this
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

  /** Columns of a raster: pixels, or of a long trace whole buckets. */
  grid(from, to) {
    const { timeline, width } = this
    if (!timeline.tally) return [from, to, width]
    const { grain } = timeline.segments(from, to)
    if (!grain) return [from, to, width]
    const step = grain * Math.max(1, Math.ceil((to - from) / width / grain))
    const left = Math.floor(from / step) * step, right = Math.ceil(to / step) * step
    return [left, right, Math.max(1, Math.round((right - left) / step))]
  }

  /** Draw images, [lane, pixels] each, from left to right in ns. */
  draw_images(images, left, right, width) {
    const NDArray = this.picture.data.image[0].constructor
    const { timeline } = this
    const [start, end] = [timeline.to_axis(left), timeline.to_axis(right)]
    const data = { image: [], x: [], y: [], dw: [], dh: [] }
    for (const [lane, pixels] of images) {
      data.image.push(new NDArray(pixels, [this.rows, width]))
      data.x.push(start)
      data.y.push(this.bottom(lane))
      data.dw.push(end - start)
      data.dh.push(this.band)
    }
    if (images.length) this.picture.data = data
  }

  /** Threads that make progress, column by column, while the run lasts. */
  draw_progress(source, every, left, right, width, lanes = []) {
    const x = [], y = [], { timeline } = this, step = (right - left) / width
    const sums = every.map((shares, place) =>
      this.on_processor(shares, lanes[place], left, step, width))
    // Whole columns only: in the one in which a run ends it would seem to stall.
    const first = Math.max(0, Math.ceil(-left / step - ROUNDING))
    const last = Math.min(width, Math.floor((timeline.duration - left) / step + ROUNDING))
    for (let column = first; column < last; column++) {
      let sum = 0
      for (const share of sums) sum += share[column]
      x.push(timeline.to_axis(left + step * column))
      y.push(sum)
    }
    const most = Math.max(0, ...y)
    // One point that is nowhere keeps its sign in the legend.
    x.push(timeline.to_axis(y.length ? left + step * last : 0))
    y.push(y.at(-1) ?? NaN)
    source.data = { x, y }
    return most
  }

  /** Mark where the run begins and ends; words stand where there is room for them. */
  draw_marks(range) {
    const { timeline } = this
    const end = timeline.to_axis(timeline.duration), begin = timeline.to_axis(0)
    this.after.setv({ left: end, visible: end < range.end })
    this.before.setv({ right: begin, visible: begin > range.start })
    const x = Math.max(end, range.start)
    const room = ((range.end - x) / (range.end - range.start)) * this.width
    this.done.setv({ x, visible: room > 150 })
  }

  /** Put a frame around a segment, and a line from its end to another lane. */
  draw_choice(choice) {
    const { timeline } = this
    const mine = choice && choice.timeline === timeline && timeline.level(choice.lane) !== null
    const chosen = { left: [], right: [], bottom: [], top: [] }
    const link = { x0: [], y0: [], x1: [], y1: [] }
    if (mine) {
      const bottom = this.bottom(choice.lane)
      chosen.left.push(timeline.to_axis(choice.start))
      chosen.right.push(timeline.to_axis(choice.end))
      chosen.bottom.push(bottom)
      chosen.top.push(bottom + this.band)
      const other = choice.other >= 0 ? timeline.level(choice.other) : null
      if (other !== null) {
        const x = timeline.to_axis(choice.end)
        link.x0.push(x)
        link.x1.push(x)
        link.y0.push(timeline.level(choice.lane))
        link.y1.push(other)
      }
    }
    this.chosen.data = chosen
    this.link.data = link
  }
}

/** A name in so many letters, as `cut` of words.py has it. */
function short_name(name, letters) {
  const all = name.replace("(anonymous namespace)::", "").replace(".<locals>", "")
  const own = all.length > letters && /`(.+)`|\b((?:created|allocated) at .+)$/.exec(all)
  const words = own ? own[1] ?? own[2] : all
  const end = Math.floor((letters * 2) / 5)
  return words.length <= letters ? words : `${words.slice(0, letters - 1 - end)}…${words.slice(-end)}`
}

const ruler = document.createElement("canvas").getContext("2d")

/** The first of some titles that a figure has room for, or the last. */
function fitting(titles, { inner_width, title }) {
  ruler.font = `bold ${title.text_font_size} ${title.text_font}`
  return titles.find((text) => ruler.measureText(text).width <= inner_width) ?? titles.at(-1)
}

// One comparison on a page: timelines, tables, details, and what a reader does with them.
// `host.ask(kind, message)` asks a kernel and resolves with [message, buffers]; null without one.

const REDRAW = 60, SETTLE = 120  // ms
const LEAST_SPAN = 1e-4  // of the visible range, ms
const GRAINS = 40  // in it, where what is shorter is merged
const MOST_LETTERS = 26  // of a lane's name
const PARALLELISM = ["Parallelism: threads that have a processor", "Parallelism"]
const CURVE = ["#0072B2", "#4CA6E8"]  // the first curve on light and on dark paper, where it is thin
const MARK = 0.12  // how much the visible part is shaded in the overview
const LANES_HEIGHT = 720, MOST_LANE = 30, LEAST_LANE = 12

class View {
  constructor(box, data, document, host) {
    Object.assign(this, { box, data, document, host, looks: data.looks })
    this.timelines = data.timelines.map((meta, number) => new Timeline(number, meta, data.columns))
    this.painters = this.timelines.map((timeline) => new Painter(document, timeline, data))
    this.tables = new Tables(data, this.timelines)
    this.range = document.get_model_by_name("time")
    this.whole = document.get_model_by_name("whole")
    this.choice = null
    this.settings = { ...START, hidden: data.hidden, ...host.settings }
    this.queries = 0
  }

  start() {
    this.stage = this.box.querySelector('[data-role="stage"]')
    this.find("controls").innerHTML = controls_html() + keys_html()
    this.panel = this.host.panel?.(this) ?? new HtmlSettings(this, this.data.settings)
    this.letters = MOST_LETTERS
    this.find("tabs").innerHTML = Object.entries(TABS).map(([tab, name]) =>
      `<button role="tab" data-tab="${tab}">${name}</button>`).join("")
    const { align, theme, range, search } = this.settings
    this.listen()
    EFFECTS.theme(this, theme)
    this.end = follow_page(this.guard(() => {
      if (this.settings.theme === "auto") EFFECTS.theme(this, "auto")
    }))
    this.arrange()
    this.align(align)
    if (range) this.show_range(...range)
    this.range.change.connect(() => this.changed())
    for (const painter of this.painters) {
      painter.figure.properties.inner_width.change.connect(() => this.changed())
    }
    this.fit_page()
    this.draw()
    this.settle()
    if (search) this.search(search)
  }

  find(role) {
    return this.box.querySelector(`[data-role="${role}"]`)
  }

  say(text, bad = false) {
    this.find("status").textContent = text
    this.find("status").classList.toggle("bad", bad)
  }

  fail(error) {
    const banner = this.find("errors")
    banner.hidden = false
    banner.textContent = `gilscope: ${error?.message ?? error}`
  }

  /** Run what the page calls; what goes wrong is shown, not lost. */
  guard(action) {
    return (...args) => {
      try {
        const result = action(...args)
        result?.catch?.((error) => this.fail(error))
      } catch (error) {
        this.fail(error)
      }
    }
  }

  changed() {
    clearTimeout(this.redraw_timer)
    this.redraw_timer = setTimeout(this.guard(() => { this.fit_page(); this.draw(); this.settle() }), REDRAW)
  }

  figures() {
    const names = ["overview", "parallelism", ...this.timelines.map(({ number }) => `timeline-${number}`)]
    return names.map((name) => this.document.get_model_by_name(name))
  }

  /** In a narrow page, names, titles and ticks take less room. */
  fit_page() {
    const letters = Math.max(9, Math.min(MOST_LETTERS, Math.floor(this.box.clientWidth / 36)))
    if (letters !== this.letters) {
      this.letters = letters
      this.arrange()
      const names = this.timelines.flatMap(({ lanes }) => lanes.map(({ name }) => short_name(name, letters).length))
      for (const figure of this.figures()) figure.min_border_left = 24 + 7 * Math.max(0, ...names)
    }
    const ticks = Math.max(2, Math.min(8, Math.floor(this.painters[0].width / 60)))
    for (const figure of this.figures()) figure.below[0].ticker.desired_num_ticks = ticks
    for (const { figure, timeline } of this.painters) figure.title.text = fitting(timeline.titles, figure)
    const parallelism = this.document.get_model_by_name("parallelism")
    parallelism.title.text = fitting(PARALLELISM, parallelism)
  }

  /** What is slower than drawing waits until the range stands still. */
  settle() {
    clearTimeout(this.settle_timer)
    this.settle_timer = setTimeout(this.guard(() => {
      this.note_range()
      this.show_table()
      return this.refine()
    }), SETTLE)
  }

  /** The visible part of a timeline in ns. */
  span(timeline) {
    const { start, end } = this.range
    return [timeline.from_axis(start), timeline.from_axis(end)]
  }

  draw() {
    const plans = this.painters.map((painter) => {
      const { timeline } = painter
      const [from, to] = this.span(timeline)
      const segments = timeline.segments(from, to)
      // Parts from the kernel have the lanes of threads only.
      const rows_of = timeline.shown.map((lane) => {
        const own = lane < segments.offsets.length - 1 ? segments : timeline.all
        return [lane, own.seen(lane, from, to), own]
      })
      return { painter, from, to, rows_of }
    })
    let count = 0
    for (const { rows_of } of plans) for (const [, [low, high]] of rows_of) count += high - low
    const coarse = plans.some(({ painter: { timeline }, from, to }) =>
      timeline.raster && timeline.raster.from === from && timeline.raster.to === to)
    // Within the buckets of a long trace the order is unknown: they are drawn whole.
    const buckets = plans.some(({ painter: { timeline }, rows_of }) =>
      timeline.tally && rows_of.some(([lane, , segments]) =>
        timeline.lanes[lane].kind === "thread" && segments !== timeline.part?.segments))
    const few = count <= this.data.max_boxes && !coarse && !buckets
    let progress = 1
    for (const plan of plans) progress = Math.max(progress, this.draw_one(plan, few))
    this.document.get_model_by_name("parallelism-height").setv({ start: 0, end: progress * 1.08 })
    const { start, end } = this.range
    const unit = this.settings.align === "normalised" ? " %" : " ms"
    this.say(`${Number(start.toPrecision(6))} to ${Number(end.toPrecision(6))}${unit} · ` +
      `${count_text(count)} ${count === 1 ? "segment" : "segments"} in view` +
      (this.gone ? ` · ${this.gone}` : ""))
    this.find("tip").hidden = true
    // Where all is visible, there is nothing to mark.
    const [low, high] = this.range.bounds
    const mark = this.document.get_model_by_name("overview-mark")
    mark?.setv({ fill_alpha: end - start < (high - low) * 0.999 ? MARK : 0 })
    this.box.dataset.drawn = few ? "boxes" : "raster"
  }

  draw_one({ painter, from: start, to: end, rows_of }, few) {
    const { timeline } = painter
    const { raster } = timeline
    // The kernel draws what there is, whatever is filtered.
    const ready = this.kept.all && raster && raster.from === start && raster.to === end &&
      raster.width === painter.width
    const [from, to, width] = few || ready ? [start, end, painter.width] : painter.grid(start, end)
    const shares = new Map()
    for (const [lane, , segments] of rows_of) {
      const rows = segments.seen(lane, from, to)
      shares.set(lane, painter.shares(segments, rows, from, to, width, this.kept))
    }
    if (few) painter.draw_boxes(rows_of, this.kept)
    else {
      painter.draw_images(rows_of.map(([lane]) =>
        [lane, (ready && raster.images.get(lane)) || painter.stacked(shares.get(lane), width)]),
        from, to, width)
    }
    painter.draw_spans(start, end, this.kept)
    painter.box_view.visible = few
    painter.picture_view.visible = !few
    painter.draw_ready(start, end)
    painter.draw_marks(this.range)
    painter.draw_choice(this.choice)
    return painter.draw_progress(
      painter.parallelism, this.progress({ painter, from, to, width, shares }), from, to, width,
      painter.timeline.shown_threads())
  }

  /** Shares of the states of the threads that are shown, whatever else is filtered. */
  progress({ painter, from, to, width, shares }) {
    const { timeline } = painter
    if (this.kept.all) return timeline.shown_threads().map((lane) => shares.get(lane))
    const segments = timeline.segments(from, to)
    return timeline.shown_threads().map((lane) =>
      painter.shares(segments, segments.seen(lane, from, to), from, to, width, null))
  }

  /** Ask the kernel for what the merged segments cannot show. */
  async refine() {
    const wanted = this.timelines.filter((timeline) => {
      const [from, to] = this.span(timeline)
      const fine = timeline.part && timeline.part.from <= from && timeline.part.to >= to
      return timeline.grain && !fine && timeline.grain * 2 > (to - from) / this.painters[0].width
    })
    if (!wanted.length) {
      this.gone = ""
      return
    }
    const query = ++this.queries
    const limit = time_text(Math.max(...wanted.map((timeline) => timeline.grain)))
    if (!this.host.ask) {
      this.gone = `details down to ${limit}: shorter intervals are merged in a report`
      return this.draw()
    }
    const ranges = wanted.map((timeline) => [timeline.number, ...this.span(timeline)])
    try {
      const [, [buffer]] = await this.host.ask("range", { query, ranges, width: this.painters[0].width })
      const answer = await unpack(buffer)
      if (query !== this.queries) return  // the latest range wins
      this.gone = ""
      this.limit_zoom()
      for (const part of answer.parts) this.take_part(part, answer.columns)
      this.draw()
      this.show_table()
    } catch (error) {
      this.gone = `zoom beyond ${limit} is off: ${error.message}`
      this.limit_zoom()
      this.draw()
    }
  }

  take_part(part, columns) {
    const timeline = this.timelines[part.timeline]
    const [from, to] = this.span(timeline)
    const name = `${part.timeline}.`
    if (part.offsets) {
      timeline.part = { from, to, segments: new Segments(timeline, columns, name, part.offsets, 0) }
      timeline.raster = null
      return
    }
    const images = new Map()
    const pixels = columns[`${name}pixels`]
    const size = part.rows * part.width
    part.lanes.forEach((lane, place) =>
      images.set(lane, Uint8Array.from(pixels.subarray(place * size, (place + 1) * size))))
    timeline.raster = { from, to, width: part.width, images }
  }

  /** Compute the curves above all: they show whole runs. */
  draw_overview() {
    let most = 1
    for (const painter of this.painters) {
      const { timeline } = painter
      const lanes = timeline.threads()
      const shares = lanes.map((lane) =>
        painter.shares(timeline.all, timeline.all.seen(lane, 0, timeline.duration), 0,
                       timeline.duration, 400, null))
      most = Math.max(most, painter.draw_progress(
        painter.overview, shares, 0, timeline.duration, 400, lanes))
    }
    this.document.get_model_by_name("overview-height").setv({ start: 0, end: most * 1.1 })
  }

  show_table() {
    const tab = this.settings.tab || (this.data.findings.length ? "findings" : "threads")
    for (const button of this.find("tabs").children) {
      button.setAttribute("aria-selected", String(button.dataset.tab === tab))
    }
    const spans = this.timelines.map((timeline) => {
      const [from, to] = this.span(timeline)
      return [Math.max(0, from), Math.min(timeline.duration, to)]
    })
    this.find("table").innerHTML = this.tables.html(tab, spans, this.kept, this.filter_words())
  }

  // Time -------------------------------------------------------------------------------------

  align(by) {
    const longest = Math.max(1, ...this.timelines.map((timeline) => timeline.duration)) / 1e6
    let begin = 0, end = longest, label = "time since the start, ms"
    for (const timeline of this.timelines) {
      timeline.scale = by === "normalised" ? 100 / Math.max(1, timeline.duration) : 1e-6
      timeline.shift = by === "end" ? -timeline.duration / 1e6 : 0
      timeline.part = timeline.raster = null
    }
    if (by === "end") [begin, end, label] = [-longest, 0, "time before the end, ms"]
    if (by === "normalised") [end, label] = [100, "share of the run, %"]
    this.document.get_model_by_name("parallelism").below[0].axis_label = label
    this.whole.setv({ start: begin, end, reset_start: begin, reset_end: end })
    this.range.setv({ bounds: [begin, end], start: begin, end, reset_start: begin, reset_end: end })
    this.limit_zoom()
    this.draw_overview()
    this.changed()
  }

  /** The order of what is merged is unknown: without a kernel to ask, one cannot zoom into it. */
  limit_zoom() {
    const limited = !this.host.ask || this.gone
    const least = this.timelines.map(({ grain, scale }) => (limited ? GRAINS * grain * scale : 0))
    this.range.min_interval = Math.max(LEAST_SPAN, ...least)
    this.show_range(this.range.start, this.range.end)
  }

  show_range(start, end) {
    const [low, high] = this.range.bounds
    const width = Math.min(high - low, Math.max(this.range.min_interval, end - start))
    const from = Math.min(Math.max(low, start), high - width)
    this.range.setv({ start: from, end: from + width })
  }

  zoom(factor) {
    const { start, end } = this.range
    const middle = this.pointer?.value ?? (start + end) / 2
    const at = middle >= start && middle <= end ? middle : (start + end) / 2
    this.show_range(at - (at - start) * factor, at + (end - at) * factor)
  }

  pan(share) {
    const { start, end } = this.range
    this.show_range(start + share * (end - start), end + share * (end - start))
  }

  fit() {
    const [low, high] = this.range.bounds
    this.show_range(low, high)
  }

  // Choice -----------------------------------------------------------------------------------

  choose(timeline, lane, row, segments = timeline.all) {
    const [start, end] = [segments.start[row], segments.start[row + 1]]
    const [, peer] = timeline.codes[segments.code[row]]
    this.choice = { timeline, lane, row, segments, start, end, other: peer }
    const ref = segments.ref?.[row] ?? -1
    const place = segments.detail?.[row] ?? -1
    if (place >= 0) this.tell(this.choice, timeline.details[place], timeline.stacks)
    else if (ref >= 0 && this.host.ask && !this.gone) this.ask_details(this.choice, ref)
    else this.tell(this.choice, null, [])
    for (const painter of this.painters) painter.draw_choice(this.choice)
  }

  tell(choice, told, stacks) {
    if (choice !== this.choice) return
    if (Array.isArray(told) && told[1] >= 0) choice.other = told[1]
    this.find("details").innerHTML = details_html(choice, this.looks, told, stacks)
    this.find("details").hidden = false
  }

  async ask_details(choice, ref) {
    this.tell(choice, "asked", [])
    try {
      const [message] = await this.host.ask("detail", { timeline: choice.timeline.number, row: ref })
      this.tell(choice, message.detail, message.stacks)
      for (const painter of this.painters) painter.draw_choice(this.choice)
    } catch (error) {
      this.tell(choice, null, [])
      this.gone = `stacks cannot be looked up: ${error.message}`
      this.draw()
    }
  }

  clear() {
    this.choice = null
    this.find("details").hidden = true
    for (const painter of this.painters) painter.draw_choice(null)
  }

  /** Bring the choice into view. */
  reveal() {
    const { timeline, start, end } = this.choice
    const [from, to] = [timeline.to_axis(start), timeline.to_axis(end)]
    if (from >= this.range.start && to <= this.range.end) return
    const width = Math.max(this.range.end - this.range.start, (to - from) * 1.2)
    this.show_range((from + to - width) / 2, (from + to + width) / 2)
  }

  /** The neighbour of the choice that a test accepts, before (-1) or after (1) it. */
  step(way, accepts = () => true) {
    if (!this.choice) return this.first_choice()
    const { timeline, lane, row, segments } = this.choice
    const low = segments.offsets[lane], high = segments.offsets[lane + 1] - 1
    for (let next = row + way; next >= low && next < high; next += way) {
      if (segments.state[next] === NOTHING || !this.kept.segment(segments, next)) continue
      if (!accepts(segments.state[next])) continue
      this.choose(timeline, lane, next, segments)
      return this.reveal()
    }
  }

  first_choice() {
    for (const timeline of this.timelines) {
      for (const lane of timeline.shown) {
        const [from, to] = timeline.all.seen(lane, ...this.span(timeline))
        for (let row = from; row < to; row++) {
          if (this.kept.segment(timeline.all, row)) return this.choose(timeline, lane, row)
        }
      }
    }
  }

  /** Go to another lane at the same time. */
  move_to(timeline, lane, time) {
    const segments = timeline.segments(time, time)
    const own = lane < segments.offsets.length - 1 ? segments : timeline.all
    const [from, to] = own.seen(lane, time, time + 1)
    if (to > from) this.choose(timeline, lane, from, own)
  }

  move_lane(way) {
    if (!this.choice) return this.first_choice()
    const { timeline, lane, start, end } = this.choice
    const places = this.timelines.flatMap((one) => one.shown.map((number) => [one, number]))
    const now = places.findIndex(([one, number]) => one === timeline && number === lane)
    const next = places[now + way]
    if (next) this.move_to(...next, (start + end) / 2)
  }

  jump() {
    const { choice } = this
    if (!choice || choice.other < 0) return
    this.move_to(choice.timeline, choice.other, Math.max(choice.start, choice.end - 1))
    if (this.choice !== choice) this.reveal()
  }

  show_finding(number, place) {
    const { build, places } = this.data.findings[number]
    const timeline = this.timelines.find((one) => one.key === build) ?? this.timelines[0]
    const [start, end] = places[place]
    const margin = (end - start) * 0.2 || 1000
    this.show_range(timeline.to_axis(start - margin), timeline.to_axis(end + margin))
  }

  // Theme ------------------------------------------------------------------------------------

  set_theme(dark) {
    this.dark = dark
    this.host.themed?.(dark, this.settings.theme)
    this.box.dataset.theme = dark ? "dark" : "light"
    const [ink, muted, paper, wash, line] = dark
      ? ["#E4E7EB", "#9AA5B1", "#171B20", "#232A32", "#3A444F"]
      : ["#1F2933", "#66717D", "#FFFFFF", "#F1F3F5", "#DDE2E7"]
    for (const figure of this.figures()) {
      figure.setv({ background_fill_color: wash, border_fill_color: paper })
      figure.title?.setv({ text_color: ink })
      for (const axis of [...figure.left, ...figure.below]) {
        axis.setv({ major_label_text_color: ink, axis_label_text_color: muted })
      }
      for (const grid of figure.center) if ("grid_line_color" in grid.properties) {
        if (grid.grid_line_color) grid.setv({ grid_line_color: line })
      }
    }
    for (const painter of this.painters) {
      for (const mark of [painter.after, painter.before]) mark.setv({ fill_color: paper })
      painter.done.setv({ text_color: muted })
      painter.empty?.setv({ text_color: muted })
      for (const name of ["link-view", "dot-view", "chosen-view"]) {
        const { glyph } = this.document.get_model_by_name(`${name}-${painter.timeline.number}`)
        glyph.setv({ line_color: ink })
        if (name === "dot-view") glyph.setv({ fill_color: ink })
      }
    }
    const [from, to] = dark ? CURVE : [...CURVE].reverse()
    for (const name of ["overview", "parallelism"]) {
      for (const { glyph } of this.document.get_model_by_name(name).renderers) {
        if (glyph.line_color.value === from) glyph.setv({ line_color: { value: to } })
      }
    }
    this.document.get_model_by_name("parallelism-legend").setv({ label_text_color: muted })
    const overlay = this.document.get_model_by_name("overview-mark")
    overlay?.setv({ fill_color: ink, line_color: ink })
  }
}

const DARK_SYSTEM = matchMedia("(prefers-color-scheme: dark)")

/** Whether the page around the view is dark: JupyterLab says so, else the reader's system does. */
function dark_page() {
  const light = document.body.dataset.jpThemeLight
  if (light) return light === "false"
  return DARK_SYSTEM.matches
}

/** Call something whenever the page around the view may have turned light or dark; returns what ends it. */
function follow_page(action) {
  const page = new MutationObserver(action)
  page.observe(document.body, { attributeFilter: ["data-jp-theme-light"] })
  DARK_SYSTEM.addEventListener("change", action)
  return () => {
    page.disconnect()
    DARK_SYSTEM.removeEventListener("change", action)
  }
}

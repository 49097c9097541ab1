// What the reader does: pointer, keys, controls.

Object.assign(View.prototype, {
  listen() {
    const on = (target, name, action, options) =>
      target.addEventListener(name, this.guard(action), options)
    on(this.stage, "pointermove", (event) => this.hover(event))
    on(this.stage, "pointerleave", () => { this.find("tip").hidden = true; this.pointer = null })
    on(this.stage, "pointerdown", (event) => {
      this.pressed = [event.clientX, event.clientY]
      this.begin_selection(event)
    }, true)
    on(this.stage, "pointermove", (event) => this.extend_selection(event), true)
    on(this.stage, "pointerup", () => this.end_selection(), true)
    on(this.stage, "pointercancel", () => this.drop_selection(), true)
    on(this.stage, "click", (event) => this.click(event), true)
    on(this.box, "keydown", (event) => this.key(event))
    on(this.find("controls"), "click", (event) => this.press(event.target.dataset.role))
    on(this.find("tabs"), "click", ({ target }) => {
      if (target.dataset.tab) this.set("tab", target.dataset.tab)
    })
    on(this.find("table"), "click", ({ target }) => this.link(target.dataset))
    on(this.find("details"), "click", ({ target }) => {
      if (target.dataset.role === "jump") this.jump()
    })
  },

  /** Timeline, lane, time and place on the axis below the pointer; null outside of all. */
  locate({ clientX, clientY }) {
    for (const painter of this.painters) {
      const view = this.host.view_of(painter.figure)
      if (!view?.el) continue
      const { left, top } = view.el.getBoundingClientRect()
      const { bbox } = view.frame
      const x = (clientX - left - bbox.left) / bbox.width
      const y = (clientY - top - bbox.top) / bbox.height
      if (x < 0 || x > 1 || y < 0 || y >= 1) continue
      const { timeline } = painter
      const value = this.range.start + x * (this.range.end - this.range.start)
      const lane = timeline.shown[Math.floor(y * Math.max(1, timeline.shown.length))]
      const time = timeline.from_axis(value)
      if (lane === undefined) return { timeline, value, time, lane: -1, row: -1 }
      const part = timeline.segments(time, time)
      const segments = lane < part.offsets.length - 1 ? part : timeline.all
      return { timeline, value, time, lane, segments, row: segments.at(lane, time) }
    }
    return null
  },

  /** Shift and a drag choose a stretch of time; all else that is dragged is Bokeh's. */
  begin_selection(event) {
    const place = event.shiftKey && event.button === 0 ? this.locate(event) : null
    if (!place) return
    event.stopPropagation()
    event.preventDefault()
    this.stage.setPointerCapture(event.pointerId)
    this.selection = [place.value, place.value]
  },

  extend_selection(event) {
    if (!this.selection) return
    event.stopPropagation()
    const { el, frame: { bbox } } = this.host.view_of(this.painters[0].figure)
    const [frame, box] = [el.getBoundingClientRect(), this.box.getBoundingClientRect()]
    const { start, end } = this.range
    const share = (event.clientX - frame.left - bbox.left) / bbox.width
    this.selection[1] = start + Math.min(1, Math.max(0, share)) * (end - start)
    const [low, high] = [...this.selection].sort((a, b) => a - b)
    const mark = this.find("selection")
    const left = frame.left - box.left + bbox.left - this.box.clientLeft
    mark.style.left = `${left + (bbox.width * (low - start)) / (end - start)}px`
    mark.style.width = `${(bbox.width * (high - low)) / (end - start)}px`
    // Not over the overview, which shows another stretch of time.
    const below = this.stage.getBoundingClientRect().bottom
    mark.style.top = `${frame.top - box.top - this.box.clientTop}px`
    mark.style.height = `${below - frame.top}px`
    mark.hidden = false
    this.find("tip").hidden = true
  },

  end_selection() {
    if (!this.selection) return
    const [low, high] = [...this.selection].sort((a, b) => a - b)
    const { start, end } = this.range
    this.drop_selection()
    if (high - low > (3 * (end - start)) / this.painters[0].width) this.show_range(low, high)
  },

  drop_selection() {
    this.selection = null
    this.find("selection").hidden = true
  },

  hover(event) {
    const place = this.locate(event)
    this.pointer = place
    const tip = this.find("tip")
    tip.hidden = !place || place.row < 0
    if (tip.hidden) return
    tip.innerHTML = this.tip_html(place)
    const area = this.box.getBoundingClientRect()
    const right = event.clientX - area.left
    tip.style.top = `${event.clientY - area.top + 18}px`
    tip.style.left = `${Math.max(4, Math.min(right + 12, area.width - tip.offsetWidth - 8))}px`
  },

  tip_html({ timeline, lane, row, segments, time }) {
    const { name, kind } = timeline.lanes[lane]
    const count = segments.count[row]
    const head = `<b>${safe(this.looks.label[segments.state[row]])}: ${time_text(segments.duration(row))}</b>`
    const lines = [`${safe(name)}, from ${(segments.start[row] / 1e6).toFixed(3)} ms`]
    const [lock, peer, held] = timeline.codes[segments.code[row]]
    if (kind === "thread" && lock >= 0) lines.push(`for ${safe(timeline.locks[lock].name)}`)
    if (kind === "thread" && peer >= 0) {
      lines.push(`${held ? "held by" : "ended by"} ${safe(timeline.lanes[peer].name)}`)
    }
    if (kind === "thread") {
      for (const row of timeline.spans_of(lane, time, time)) lines.push(`in ${safe(timeline.span_text(row))}`)
    }
    if (kind === "thread") lines.push(...cpu_tip(timeline, lane, time))
    if (count > 1) {
      lines.push(kind !== "thread" ? `${count_text(count)} of them, without a gap`
        : `${count_text(count)} intervals shorter than ${time_text(segments.grain)}, as one`)
    }
    return [head, ...lines].join("<br>")
  },

  click(event) {
    const [x, y] = this.pressed ?? [event.clientX, event.clientY]
    if (Math.hypot(event.clientX - x, event.clientY - y) > 4) return  // a drag
    const place = this.locate(event)
    if (!place) return
    this.box.focus({ preventScroll: true })
    if (place.row < 0) this.clear()
    else this.choose(place.timeline, place.lane, place.row, place.segments)
  },

  key(event) {
    const { target } = event
    const typing = target.matches?.("input, select, textarea")
    if (event.key === "Escape") this.escape(target)
    else if (typing) {
      if (event.key === "Enter" && target.closest('[data-role="search"]')) this.search_for(target.value)
      event.stopPropagation()
      return
    } else if (event.ctrlKey || event.metaKey || event.altKey) return
    else if (!this.act(event.key)) return
    event.preventDefault()
    event.stopPropagation()
  },

  /** Do what a key stands for; whether it stands for anything. */
  act(key) {
    const waits = (state) => [WAITING_GIL, WAITING_LOCK, STOPPED].includes(state)
    const actions = {
      w: () => this.zoom(0.5), s: () => this.zoom(2), "+": () => this.zoom(0.5), "-": () => this.zoom(2),
      a: () => this.pan(-0.25), d: () => this.pan(0.25), f: () => this.fit(),
      ",": () => this.step(-1), ".": () => this.step(1),
      arrowleft: () => this.step(-1), arrowright: () => this.step(1),
      arrowup: () => this.move_lane(-1), arrowdown: () => this.move_lane(1),
      n: () => this.step(1, waits), j: () => this.jump(), z: () => this.zoom_to_choice(),
      e: () => this.next_alignment(), h: () => this.hide_lane(), p: () => this.pin_lane(),
      t: () => this.turn(), "/": () => this.panel.focus("search"),
      "?": () => this.toggle_keys(),
    }
    const action = actions[key.toLowerCase()]
    action?.()
    return Boolean(action)
  },

  press(role) {
    const actions = {
      in: () => this.zoom(0.5), out: () => this.zoom(2), fit: () => this.fit(),
      theme: () => this.turn(), help: () => this.toggle_keys(),
    }
    actions[role]?.()
  },

  /** Light or dark by hand; as the page is by itself, it is left to the page again. */
  turn() {
    const dark = !this.dark
    this.set("theme", dark === dark_page() ? "auto" : dark ? "dark" : "light")
  },

  /** Search, or once more for the same: the next one. */
  search_for(text) {
    if (text === this.settings.search) this.search(text)
    else this.set("search", text)
  },

  link({ lane, lock, finding, role }) {
    if (role === "all") return this.show_all()
    if (finding) return this.show_finding(...finding.split(":").map(Number))
    const [number, place] = (lane ?? lock ?? "").split(":").map(Number)
    const timeline = this.timelines[number]
    if (lane) this.choose_longest(timeline, place)
    else if (lock) for (const hit of this.longest_wait(timeline, place)) this.choose(...hit)
    else return
    if (this.choice) this.reveal()
  },

  zoom_to_choice() {
    if (!this.choice) return
    const { timeline, start, end } = this.choice
    const margin = (end - start) * 0.25
    this.show_range(timeline.to_axis(start - margin), timeline.to_axis(end + margin))
  },

  next_alignment() {
    const all = this.data.settings.find(({ name }) => name === "align").options.map(([by]) => by)
    this.set("align", all[(all.indexOf(this.settings.align) + 1) % all.length])
  },

  hide_lane() {
    if (!this.choice) return
    const { name } = this.choice.timeline.lanes[this.choice.lane]
    this.clear()
    this.set("hidden", [...this.settings.hidden, name])
  },

  pin_lane() {
    if (!this.choice) return
    const { name } = this.choice.timeline.lanes[this.choice.lane]
    const { pinned } = this.settings
    this.set("pinned", pinned.includes(name) ? pinned.filter((one) => one !== name) : [...pinned, name])
  },

  toggle_keys() {
    const keys = this.box.querySelector(".keys")
    keys.hidden = !keys.hidden
  },

  escape(target) {
    const keys = this.box.querySelector(".keys")
    if (!keys.hidden) keys.hidden = true
    else if (this.selection) this.drop_selection()
    else if (target !== this.box) this.box.focus()
    else if (this.choice) this.clear()
    else this.set("hidden", [])
  },
})

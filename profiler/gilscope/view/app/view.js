// One comparison on a page: its state, and the parts that do one job each.

import { TimeAxis } from "./axis.js"
import { Chooser } from "./chooser.js"
import { HtmlSettings, controls_html, keys_html } from "./controls.js"
import { Drawing, NAME_LETTERS } from "./drawing.js"
import { Finder } from "./finder.js"
import { Gutter } from "./gutter.js"
import { Kept, filter_words } from "./kept.js"
import { Kernel, message_of } from "./kernel.js"
import { Keyboard } from "./keyboard.js"
import { Lanes } from "./lanes.js"
import { Painter } from "./painter.js"
import { Pointer } from "./pointer.js"
import { EFFECTS, START, same } from "./settings.js"
import { TablePanel } from "./table_panel.js"
import { parse_time } from "./text.js"
import { Theme } from "./theme.js"
import { Timeline } from "./timeline.js"

const REDRAW = 60, SETTLE = 120  // ms

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

export class View {
  /**
   * @param {HTMLElement} box
   * @param {import("./types.js").Scene} data
   * @param {import("./types.js").BokehDocument} document
   * @param {import("./types.js").Host} host
   */
  constructor(box, data, document, host) {
    this.box = box
    this.data = data
    this.document = document
    this.host = host
    this.stage = this.find("stage")
    this.timelines = data.timelines.map((meta, number) => new Timeline(number, meta, data.columns, data.groups))
    this.painters = this.timelines.map((timeline) => new Painter(document, timeline, data))
    /** @type {import("./types.js").Settings} */
    this.settings = { ...START, order: data.groups.length ? "contention" : START.order, hidden: data.hidden, ...host.settings }
    this.kept = new Kept(this.settings, this.timelines)
    /** @type {import("./types.js").Choice | null} */
    this.choice = null
    /** Of a lane's name, as far as there is room. */
    this.letters = NAME_LETTERS
    /** @type {import("./types.js").Panel | null} */
    this.panel = null
    this.axis = new TimeAxis(this)
    this.lanes = new Lanes(this)
    this.gutter = new Gutter(this)
    this.drawing = new Drawing(this)
    this.kernel = new Kernel(this)
    this.chooser = new Chooser(this)
    this.finder = new Finder(this)
    this.table = new TablePanel(this)
    this.theme = new Theme(this)
    this.pointer = new Pointer(this)
    this.keyboard = new Keyboard(this)
    /** Ends what lasts beyond the box. */
    this.end = () => {}
    /** @type {Timer} */
    this.redraw_timer = undefined
    /** @type {Timer} */
    this.settle_timer = undefined
  }

  start() {
    this.find("controls").innerHTML = controls_html() + keys_html()
    this.panel = this.host.panel?.(this) ?? new HtmlSettings(this, this.data.settings)
    this.table.start()
    this.pointer.listen()
    this.keyboard.listen()
    this.gutter.start()
    const { align, theme, range, search } = this.settings
    this.theme.show(theme)
    const unfollow = this.theme.follow()
    this.end = () => {
      clearTimeout(this.redraw_timer)
      clearTimeout(this.settle_timer)
      unfollow()
    }
    this.lanes.arrange()
    this.axis.align(align)
    if (range) this.axis.show(...range)
    const changed = () => this.changed()
    this.axis.range.change.connect(changed)
    for (const { figure } of this.painters) figure.properties.inner_width.change.connect(changed)
    this.drawing.fit_page()
    this.drawing.draw()
    this.settle()
    if (search) this.finder.search(search)
  }

  /** @param {string} role @returns {HTMLElement} */
  find(role) {
    const found = this.box.querySelector(`[data-role="${role}"]`)
    if (!found) throw new Error(`the page has no ${role}`)
    return /** @type {HTMLElement} */ (found)
  }

  /** @param {string} text @param {boolean} bad */
  say(text, bad = false) {
    this.find("status").textContent = text
    this.find("status").classList.toggle("bad", bad)
  }

  /** @param {unknown} error */
  fail(error) {
    const banner = this.find("errors")
    banner.hidden = false
    banner.textContent = `gilscope: ${message_of(error)}`
  }

  /**
   * Run what the page calls; what goes wrong is shown, not lost.
   * @template {any[]} T
   * @param {(...args: T) => unknown} action
   * @returns {(...args: T) => void}
   */
  guard(action) {
    return (...args) => {
      try {
        const result = action(...args)
        if (result instanceof Promise) result.catch((error) => this.fail(error))
      } catch (error) {
        this.fail(error)
      }
    }
  }

  /** Draw anew, soon. */
  changed() {
    clearTimeout(this.redraw_timer)
    this.redraw_timer = setTimeout(this.guard(() => {
      this.drawing.fit_page()
      this.drawing.draw()
      this.settle()
    }), REDRAW)
  }

  /** What is slower than drawing waits until the range stands still. */
  settle() {
    clearTimeout(this.settle_timer)
    this.settle_timer = setTimeout(this.guard(() => {
      this.note_range()
      this.table.show()
      return this.kernel.refine()
    }), SETTLE)
  }

  /** The filters in words. */
  filter_words() {
    return filter_words(this.settings, this.kept, this.timelines)
  }

  /**
   * Change a setting and do what follows from it.
   * @param {import("./types.js").SettingName} name
   * @param {any} value
   */
  set(name, value) {
    if (name === "least") {
      const bad = Number.isNaN(parse_time(value))
      this.panel?.mark(name, bad)
      if (bad) return this.say("At least: a time such as 20 µs or 1.5 ms", true)
    }
    if (same(this.settings[name], value)) return
    this.note(name, value)
    const effect = EFFECTS[name]
    if (effect) effect(this, value)
    else this.lanes.rearrange()
  }

  /**
   * Keep what is set, and tell those who show it.
   * @param {import("./types.js").SettingName} name
   * @param {unknown} value
   */
  note(name, value) {
    Object.assign(this.settings, { [name]: value })
    this.panel?.show(name, value)
    this.host.told?.(name, value)
  }

  /** The visible range follows from much else: it is told once it stands still. */
  note_range() {
    const { start, end } = this.axis.range
    if (!same(this.settings.range, [start, end])) this.note("range", [start, end])
  }
}

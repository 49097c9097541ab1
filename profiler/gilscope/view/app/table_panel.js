// The tabs below the timelines, and the table of the one that is open.

import { copy_text } from "./share.js"
import { csv, turned } from "./sorting.js"
import { TABS, Tables } from "./tables.js"
import { things } from "./text.js"

export class TablePanel {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view
    /** @type {Map<string, import("./sorting.js").By | null>} By caption. */
    this.orders = new Map()
    /** @type {Tables | null} */
    this.tables = null
    /** Rows that have this text in them are shown. */
    this.filter = ""
  }

  /** Show rows with a text only. @param {string} text */
  keep(text) {
    this.filter = text
    this.show()
  }

  /** Go to the tab that a key leads to; returns whether it leads to one. @param {string} key */
  turn(key) {
    const tabs = /** @type {HTMLElement[]} */ ([...this.view.find("tabs").children])
    const at = tabs.findIndex((tab) => tab.ariaSelected === "true"), last = tabs.length - 1
    /** @type {Record<string, number>} */
    const places = { ArrowLeft: at ? at - 1 : last, ArrowRight: at < last ? at + 1 : 0, Home: 0, End: last }
    const tab = tabs[places[key]]
    if (!tab) return false
    this.view.set("tab", String(tab.dataset.tab))
    tab.focus()
    return true
  }

  /** Sort the tables of a caption by a column, or otherwise. @param {string} place Column and caption. */
  sort(place) {
    const [column, caption] = place.split(/:(.*)/s)
    this.orders.set(caption, turned(this.orders.get(caption) ?? null, Number(column)))
    this.show()
    const heads = /** @type {NodeListOf<HTMLElement>} */ (this.view.find("table").querySelectorAll("[data-sort]"))
    ;[...heads].find((head) => head.dataset.sort === place)?.focus()
  }

  /** Copy a table as CSV. @param {string} key */
  copy(key) {
    const made = this.tables?.made.get(key)
    if (!made) return
    const what = `${things(made.rows.length, "row")} as CSV`
    return copy_text(this.view, csv(made.heads, made.rows), "text/csv", ".csv", what)
  }

  start() {
    this.view.find("tabs").innerHTML = Object.keys(TABS).map((tab) =>
      `<button role="tab" data-tab="${tab}">${this.name_of(tab)}</button>`).join("")
  }

  /** What a tab is called: one run differs from nothing. @param {string} tab */
  name_of(tab) {
    return tab === "difference" && this.view.timelines.length < 2 ? "All threads" : TABS[tab]
  }

  show() {
    const { view } = this, { data, timelines, kept, settings } = view
    const tab = settings.tab || (data.findings.length ? "findings" : "threads")
    for (const button of /** @type {HTMLCollectionOf<HTMLElement>} */ (view.find("tabs").children)) {
      const chosen = button.dataset.tab === tab
      button.setAttribute("aria-selected", String(chosen))
      button.tabIndex = chosen ? 0 : -1  // arrow keys lead to the others
    }
    view.find("table").setAttribute("aria-label", this.name_of(tab))
    const spans = timelines.map((timeline) => {
      const [from, to] = view.axis.span(timeline)
      return /** @type {[number, number]} */ ([Math.max(0, from), Math.min(timeline.duration, to)])
    })
    this.tables = new Tables(data, timelines, kept, view.filter_words(), this.orders, this.filter)
    view.find("table").innerHTML = this.tables.html(tab, spans)
  }
}

// What stands beside the lanes: the names of groups, which unfold them, and what scrolls the lanes.

import { many, pool_label } from "./pools.js"
import { count_text, safe } from "./text.js"

const BAR = 16  // pixels, width of what scrolls

/** @typedef {import("./painter.js").Painter} Painter */

export class Gutter {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view
    this.box = document.createElement("div")
    this.box.className = "gutter"
    /** @type {Map<Painter, { names: HTMLElement, bar: HTMLElement, html: string }>} */
    this.parts = new Map()
  }

  start() {
    const { view } = this
    view.stage.append(this.box)
    for (const painter of view.painters) {
      const names = document.createElement("div"), bar = document.createElement("div")
      names.className = "names"
      bar.className = "bar-of-lanes"
      bar.tabIndex = 0
      bar.setAttribute("role", "group")
      bar.setAttribute("aria-label", `Scroll the lanes of the ${painter.timeline.build}`)
      bar.innerHTML = "<i></i>"
      bar.addEventListener("scroll", view.guard(() => {
        const top = bar.scrollTop / painter.pixels
        if (Math.abs(top - painter.top) * painter.pixels >= 1) view.lanes.scroll(top)
      }))
      names.addEventListener("click", view.guard((event) => this.press(painter, event)))
      this.box.append(names, bar)
      this.parts.set(painter, { names, bar, html: "" })
    }
    // A timeline that grows moves those below it.
    const sizes = new ResizeObserver(view.guard(() => this.show()))
    for (const { figure } of view.painters) {
      const shown = view.host.view_of(figure)
      if (shown) sizes.observe(shown.el)
    }
    view.stage.addEventListener("wheel", view.guard((event) => this.wheel(event)), { capture: true, passive: false })
  }

  /** Unfold or fold. @param {Painter} painter @param {any} event */
  press({ timeline }, { target }) {
    const { pool, more } = target.dataset, { lanes } = this.view
    if (pool === undefined) return
    const found = timeline.pools[Number(pool)]
    if (more === undefined && lanes.open(timeline, found)) lanes.fold(timeline, found)
    else lanes.more(found.name)
    // The names are made anew, and with them the button.
    const again = `[data-pool="${pool}"]${more === undefined ? "" : "[data-more]"}`
    const button = /** @type {HTMLElement | null} */ (this.box.querySelector(again))
    button?.focus({ preventScroll: true })
  }

  /** Over names, or with Shift, the wheel scrolls lanes; elsewhere it zooms time. @param {WheelEvent} event */
  wheel(event) {
    const over = this.view.painters.find((painter) => {
      const area = this.area(painter)
      if (!area || painter.window >= painter.timeline.height) return false
      const x = event.clientX - area.x, y = event.clientY - area.y
      const beside = x < area.left || x > area.left + area.width
      return y >= area.top && y < area.top + area.height && (beside || event.shiftKey)
    })
    if (!over) return
    event.preventDefault()
    event.stopPropagation()
    this.view.lanes.scroll(over.top + (event.deltaY || event.deltaX) / over.pixels)
  }

  /** One window of lanes up or down. @param {-1 | 1} way */
  page(way) {
    const longest = this.view.painters.reduce((a, b) => (b.timeline.height > a.timeline.height ? b : a))
    this.view.lanes.scroll(longest.top + way * longest.window)
  }

  /** Where the lanes of a timeline are: in the stage, which is at (x, y) in the window. @param {Painter} painter */
  area({ figure }) {
    const shown = this.view.host.view_of(figure)
    if (!shown?.el) return null
    const { left: x, top: y } = this.view.stage.getBoundingClientRect()
    const { left, top } = shown.el.getBoundingClientRect()
    const { bbox } = shown.frame
    return { x, y, left: left - x + bbox.left, top: top - y + bbox.top, width: bbox.width, height: bbox.height }
  }

  /** Put everything where it belongs. */
  show() {
    for (const [painter, part] of this.parts) {
      const { timeline, pixels, top, window } = painter, area = this.area(painter)
      if (!area) continue
      const { names, bar } = part
      Object.assign(names.style, { left: "0", width: `${area.left}px`, top: `${area.top}px`, height: `${area.height}px` })
      const html = timeline.pools.map((pool, number) => this.name_html(painter, pool, number)).join("")
      if (html !== part.html) names.innerHTML = part.html = html
      bar.hidden = window >= timeline.height
      Object.assign(bar.style, {
        left: `${area.left + area.width + 4}px`, width: `${BAR}px`, top: `${area.top}px`, height: `${area.height}px`,
      })
      const inner = /** @type {HTMLElement} */ (bar.firstElementChild)
      inner.style.height = `${timeline.height * pixels}px`
      if (Math.abs(bar.scrollTop - top * pixels) >= 1) bar.scrollTop = top * pixels
    }
  }

  /**
   * @param {Painter} painter
   * @param {import("./types.js").Pool} pool
   * @param {number} number
   */
  name_html({ timeline, top, pixels }, pool, number) {
    const place = timeline.places.get(pool.lane)
    if (place === undefined) return ""
    const members = timeline.members(pool)
    const own = members.filter((lane) => timeline.has_place(lane)).length
    const label = pool_label(pool, members), rest = members.length - own
    const title = own ? "Show them as one lane" : "Show the threads that wait and hold most"
    const next = Math.min(30, rest)
    const more = own && rest && many(members)
      ? `<button class="link" data-pool="${number}" data-more title="${count_text(rest)} are not shown">` +
        `show ${count_text(next)} more</button>` : ""
    const height = timeline.height_of(pool.lane) * pixels
    return `<div style="top:${(place - top) * pixels}px;height:${height}px">` +
      `<button class="link" data-pool="${number}" aria-expanded="${Boolean(own)}" title="${title}">` +
      `${own ? "▾" : "▸"} ${safe(label)}</button>${more}</div>`
  }
}

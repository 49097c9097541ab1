// Keys and buttons.

import { copy_markdown, copy_png, save_svg } from "./share.js"
import { STOPPED, WAITING_GIL, WAITING_LOCK } from "./states.js"

const WAITS = [WAITING_GIL, WAITING_LOCK, STOPPED]

export class Keyboard {
  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view
    const { axis, chooser, lanes, theme } = view
    /** @type {Record<string, () => void>} */
    this.keys = {
      w: () => axis.zoom(0.5), s: () => axis.zoom(2), "+": () => axis.zoom(0.5), "-": () => axis.zoom(2),
      a: () => axis.pan(-0.25), d: () => axis.pan(0.25), f: () => axis.fit(),
      ",": () => chooser.step(-1), ".": () => chooser.step(1),
      arrowleft: () => chooser.step(-1), arrowright: () => chooser.step(1),
      arrowup: () => chooser.move_lane(-1), arrowdown: () => chooser.move_lane(1),
      pageup: () => view.gutter.page(-1), pagedown: () => view.gutter.page(1),
      n: () => chooser.step(1, (state) => WAITS.includes(state)),
      j: () => chooser.jump(), z: () => chooser.zoom(),
      e: () => axis.align_next(), h: () => lanes.hide(), p: () => lanes.pin(),
      t: () => theme.turn(), "/": () => view.panel?.focus("search"),
      "?": () => this.toggle_help(),
    }
    /** @type {Record<string, () => unknown>} */
    this.buttons = {
      in: () => axis.zoom(0.5), out: () => axis.zoom(2), fit: () => axis.fit(),
      theme: () => theme.turn(), help: () => this.toggle_help(),
      markdown: () => copy_markdown(view), png: () => copy_png(view), svg: () => save_svg(view),
    }
  }

  listen() {
    const { view } = this
    /** @type {(target: HTMLElement, name: string, action: (event: any) => void) => void} */
    const on = (target, name, action) => target.addEventListener(name, view.guard(action))
    on(view.box, "keydown", (event) => this.press(event))
    on(view.find("controls"), "click", ({ target }) => this.buttons[target.dataset.role]?.())
    on(view.find("tabs"), "click", ({ target }) => {
      if (target.dataset.tab) view.set("tab", target.dataset.tab)
    })
    on(view.find("rows"), "input", ({ target }) => view.table.keep(target.value))
    on(view.find("table"), "click", ({ target }) => this.follow(target.dataset))
    on(view.find("details"), "click", ({ target }) => {
      if (target.dataset.role === "jump") view.chooser.jump()
    })
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const target = /** @type {HTMLElement} */ (event.target)
    const field = target.matches?.("input, select, textarea") ? target : null
    if (event.key === "Escape") this.escape(target)
    else if (target.matches?.("[role=tab]") && this.view.table.turn(event.key)) {
      event.preventDefault()
      event.stopPropagation()
      return
    }
    else if (field) {
      if (event.key === "Enter" && field.closest('[data-role="search"]')) {
        this.view.finder.search_again(/** @type {HTMLInputElement} */ (field).value)
      }
      event.stopPropagation()
      return
    } else if (event.ctrlKey || event.metaKey || event.altKey) return
    else if (!this.act(event.key)) return
    event.preventDefault()
    event.stopPropagation()
  }

  /** Perform the action of a key; returns whether the key has one. @param {string} key */
  act(key) {
    const action = this.keys[key.toLowerCase()]
    action?.()
    return Boolean(action)
  }

  /** Follow a link of a table. @param {DOMStringMap} link */
  follow({ lane, lock, finding, role, sort, copy: key }) {
    if (sort) return this.view.table.sort(sort)
    if (key) return this.view.table.copy(key)
    const { lanes, chooser, finder, timelines, box } = this.view
    const [number, place] = (finding ?? lane ?? lock ?? "").split(":").map(Number)
    if (role === "all") lanes.show_all()
    else if (finding) chooser.show_finding(number, place)
    else if (lane) finder.choose_longest(timelines[number], place)
    else if (lock) finder.choose_wait(timelines[number], place)
    else return
    if (lane || lock) chooser.reveal()
    // The table is made anew, and with it the button: keys go on to reach the view.
    box.focus({ preventScroll: true })
  }

  /** The list of keys. */
  get help() {
    return /** @type {HTMLElement} */ (this.view.box.querySelector(".keys"))
  }

  toggle_help() {
    this.help.hidden = !this.help.hidden
  }

  /** Close or deselect what was opened or chosen last. @param {HTMLElement} target */
  escape(target) {
    const { box, pointer, chooser, choice } = this.view
    if (!this.help.hidden) this.help.hidden = true
    else if (pointer.selection) pointer.drop_selection()
    else if (target !== box) box.focus()
    else if (choice) chooser.clear()
    else this.view.set("hidden", [])
  }
}

// The controls above the timelines, and the list of keys.

import { safe } from "./text.js"

/** @typedef {import("./types.js").SettingName} SettingName */
/** @typedef {HTMLInputElement | HTMLSelectElement} Field */

const KEYS = [
  ["W  S", "zoom in, zoom out, around the pointer or the middle"],
  ["A  D", "earlier, later"],
  ["F", "fit: the whole run"],
  ["Shift drag", "zoom to a range of time"],
  [",  .", "interval before, interval after, in the chosen lane (also ← →)"],
  ["↑  ↓", "lane above, lane below"],
  ["PgUp  PgDn", "scroll the lanes, where they do not fit (also the wheel over their names, or with Shift)"],
  ["Z", "zoom to the chosen interval"],
  ["J", "go to the thread that ended the wait"],
  ["N", "next wait of the chosen lane"],
  ["/", "search for a thread, lock or callable"],
  ["E", "align the starts or the ends, or scale runs to one length"],
  ["H  P", "hide the chosen lane, pin it to the top"],
  ["T", "light or dark"],
  ["?", "show these keys"],
  ["Esc", "close, clear the selection, show all lanes"],
]

let fields = 0

export function controls_html() {
  return `<div class="controls" role="toolbar" aria-label="Timelines">
    <span class="group"><button data-role="in" title="Zoom in (W)" aria-label="Zoom in">+</button>
    <button data-role="out" title="Zoom out (S)" aria-label="Zoom out">−</button>
    <button data-role="fit" title="The whole run (F)">Fit</button></span>
    <span class="settings" data-role="settings"></span>
    <span class="group"><button data-role="markdown" title="Verdict and findings, for an issue">Copy as Markdown</button>
    <button data-role="png" title="The picture as it is shown, for the clipboard">Copy PNG</button>
    <button data-role="svg" title="The picture as it is shown, as a file">Save SVG</button></span>
    <span class="group"><button data-role="theme" title="Light or dark (T)" aria-label="Light or dark">◐</button>
    <button data-role="help" title="Keys (?)" aria-label="Keys">?</button></span>
  </div>`
}

export function keys_html() {
  const rows = KEYS.map(([keys, what]) => {
    const caps = keys.split(/\s+/).map((key) => `<kbd>${safe(key)}</kbd>`).join(" ")
    return `<tr><td>${caps}</td><td>${safe(what)}</td></tr>`
  })
  return `<div class="keys" hidden><table><caption>Keys</caption><tbody>${rows.join("")}</tbody></table></div>`
}

/** The settings where there is no kernel: as HTML. */
export class HtmlSettings {
  /**
   * @param {import("./view.js").View} view
   * @param {import("./types.js").SettingMeta[]} settings
   */
  constructor(view, settings) {
    const place = view.find("settings")
    place.innerHTML = settings.map(setting_html).join("")
    /** @type {Map<string | undefined, Field>} */
    this.fields = new Map([...place.querySelectorAll(/** @type {any} */ ("[data-role]"))]
      .map((one) => [one.dataset.role, one]))
    const change = view.guard((/** @type {Event} */ event) => {
      const field = /** @type {Field} */ (event.target)
      view.set(/** @type {SettingName} */ (field.dataset.role),
               field instanceof HTMLInputElement && field.type === "checkbox" ? field.checked : field.value)
    })
    place.addEventListener("change", change)
    place.addEventListener("input", (event) => {
      if ("live" in /** @type {Field} */ (event.target).dataset) change(event)
    })
    for (const [name, value] of Object.entries(view.settings)) {
      this.show(/** @type {SettingName} */ (name), value)
    }
  }

  /** @param {SettingName} name @param {unknown} value */
  show(name, value) {
    const field = this.fields.get(name)
    if (field instanceof HTMLInputElement && field.type === "checkbox") field.checked = Boolean(value)
    else if (field && field.value !== value) field.value = String(value)
  }

  /** @param {SettingName} name @param {boolean} bad */
  mark(name, bad) {
    this.fields.get(name)?.setAttribute("aria-invalid", String(bad))
  }

  /** @param {SettingName} name */
  focus(name) {
    this.fields.get(name)?.focus()
  }
}

/** @param {import("./types.js").SettingMeta} setting */
function setting_html({ name, label, kind, options, names, placeholder, live, width }) {
  const role = `data-role="${name}"`
  if (kind === "check") return `<label><input type="checkbox" ${role}> ${safe(label)}</label>`
  if (kind === "choice") {
    const all = options.map(([value, words]) => `<option value="${safe(value)}">${safe(words)}</option>`)
    return `<label>${safe(label)} <select ${role}>${all.join("")}</select></label>`
  }
  const list = names.length ? `gilscope-names-${++fields}` : ""
  const all = names.map((one) => `<option value="${safe(one)}"></option>`).join("")
  return `<label>${safe(label)} <input ${role} size="${width}" placeholder="${safe(placeholder)}"` +
    `${live ? " data-live" : ""}${list ? ` list="${list}"` : ""}></label>` +
    (list ? `<datalist id="${list}">${all}</datalist>` : "")
}

// A report is opened from disk: everything is in the page, and there is no kernel to ask.

import { message_of } from "./kernel.js"
import { unpack } from "./payload.js"
import { ranges_in, with_range } from "./share.js"
import { View } from "./view.js"

/**
 * The page and all its sections are light or dark together.
 * @param {boolean} dark
 * @param {import("./types.js").Settings["theme"]} theme
 */
function themed(dark, theme) {
  document.body.dataset.theme = dark ? "dark" : "light"
  for (const { gilscope } of document.querySelectorAll(".gilscope")) gilscope?.set("theme", theme)
}

/** @param {string} id */
const by_id = (id) => /** @type {HTMLElement} */ (document.getElementById(id))

/** The address of the page leads to what is seen. @param {number} number @param {View} view */
function note_range(number, view) {
  const { settings: { range }, axis } = view
  const fragment = with_range(location.hash, number, axis.fits() ? null : range)
  history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search)
}

/** @param {number} number */
async function show_report(number) {
  const box = by_id(`view-${number}`)
  const take = (/** @type {string} */ name) => String(by_id(`${name}-${number}`).textContent)
  const item = JSON.parse(take("figures"))
  const bytes = Uint8Array.from(atob(take("data")), (letter) => letter.charCodeAt(0))
  const [views, data] = await Promise.all([
    Bokeh.embed.embed_item(item, `stage-${number}`), unpack(bytes)])
  const view_of = (/** @type {import("./types.js").BokehModel} */ model) => Bokeh.index.find_one(model)
  const range = ranges_in(location.hash).get(number) ?? null
  const told = (/** @type {string} */ name) => { if (name === "range") note_range(number, view) }
  const view = new View(box, data, views.roots[0].model.document,
                        { ask: null, view_of, themed, told, settings: { range } })
  box.gilscope = view
  view.start()
}

/** Show all sections that have a trace. @param {number} count */
export function show_reports(count) {
  for (let number = 1; number <= count; number++) {
    show_report(number).catch((error) => {
      by_id(`stage-${number}`).textContent =
        `The timelines cannot be drawn: ${message_of(error)}. A current browser may help.`
      console.error(error)
    })
  }
}

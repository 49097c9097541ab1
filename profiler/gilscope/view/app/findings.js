// The findings of whole runs, each with its evidence and the places to go to.

import { prose, safe, time_text } from "./text.js"

/**
 * What is the same about some places of a finding stands before the first of them.
 * @param {import("./types.js").Finding["places"]} places
 * @param {number} number
 */
function heading(places, number) {
  const note = places[number][2]
  return number && places[number - 1][2] === note ? "" : `<span>${prose(note || "Show")}:</span> `
}

/** @param {import("./types.js").Finding["places"][0]} place */
const when = ([start, end]) => `${time_text(end - start)} at ${Number((start / 1e6).toFixed(1))} ms`

/**
 * @param {import("./types.js").Finding[]} findings
 * @param {import("./timeline.js").Timeline[]} timelines
 * @param {(html: string) => boolean} meant Whether a text is wanted.
 */
export function findings_html(findings, timelines, meant) {
  if (!findings.length) {
    return '<p class="quiet">No findings. Reasons to doubt the numbers are listed at the top.</p>'
  }
  const found = findings.map((one, place) => {
    if (!meant([one.title, one.advice, ...one.evidence].map(safe).join(" "))) return ""
    const evidence = one.evidence.map((line) => `<li>${prose(line)}</li>`).join("")
    const jumps = one.places.map((_, number) =>
      `${heading(one.places, number)}<button data-finding="${place}:${number}">${when(one.places[number])}</button>`)
    const build = timelines.find((timeline) => timeline.key === one.build)?.build ?? ""
    const about = [build, one.label, one.page || one.name].filter(Boolean).join(" · ")
    return `<article class="finding ${safe(one.severity)}"><h4>${prose(one.title)}` +
      ` <small>${safe(about)}</small></h4><ul>${evidence}</ul>` +
      `<p>${prose(one.advice)}</p><p class="jumps">${jumps.join(" ")}</p></article>`
  })
  const shown = found.join("")
  return shown ? `<div class="findings">${shown}</div>` : '<p class="quiet">No finding has this text.</p>'
}

// What is shown of the chosen segment: who waited for whom, and the stacks of both.

const SPANS_SHOWN = 4

function stack_html(caption, frames) {
  if (!frames?.length) return `<section><h4>${caption}</h4><p class="quiet">no stack in the trace</p></section>`
  const lines = frames.map(([name, file, line, native, source]) => {
    const base = file.split("/").at(-1)
    const place = base ? `${safe(base)}${line ? `:${line}` : ""}` : ""
    const code = source ? `<code>${safe(source)}</code>` : ""
    return `<li class="${native ? "native" : ""}" title="${safe(file)}"><b>${safe(name)}</b> ` +
      `<small>${place}${native ? " native" : ""}</small>${code}</li>`
  })
  return `<section><h4>${caption}</h4><ol class="stack">${lines.join("")}</ol></section>`
}

/** HTML of a choice; `told` is [stack, other lane, other stack] and `stacks` what it refers to. */
function details_html(choice, looks, told, stacks) {
  const { timeline, lane, row, segments } = choice
  const state = segments.state[row], count = segments.count[row]
  const [lock, peer, held] = timeline.codes[segments.code[row]]
  const name = (number) => safe(timeline.lanes[number].name)
  const facts = [
    `<b>${name(lane)}</b> · ${safe(timeline.build)}`,
    `from ${(choice.start / 1e6).toFixed(6)} to ${(choice.end / 1e6).toFixed(6)} ms`,
  ]
  if (lock >= 0) facts.push(`for <b>${safe(timeline.locks[lock].name)}</b> (${safe(timeline.locks[lock].kind)})`)
  if (peer >= 0) facts.push(`${held ? "held by" : "ended by"} <b>${name(peer)}</b>${held ? " when it began" : ""}`)
  if (timeline.lanes[lane].kind === "thread") {
    const named = timeline.spans_of(lane, choice.start, choice.end)
    for (const one of named.slice(0, SPANS_SHOWN)) facts.push(`<b>${safe(timeline.span_text(one))}</b>`)
    if (named.length > SPANS_SHOWN) facts.push(`${count_text(named.length - SPANS_SHOWN)} more spans`)
  }
  const by = told && told[1] >= 0 ? told[1] : -1
  const waited = [WAITING_GIL, WAITING_LOCK, BLOCKED, STOPPED].includes(state)
  if (waited && by >= 0) facts.push(`ended by <b>${name(by)}</b>`)
  if (count > 1) {
    facts.push(timeline.lanes[lane].kind === "thread"
      ? `${count_text(count)} intervals shorter than ${time_text(segments.grain)}, as one`
      : `${count_text(count)} intervals one after the other or at the same time`)
  }
  const jump = choice.other >= 0 && choice.other !== lane
    ? `<button class="plain" data-role="jump">Go to ${name(choice.other)} (J)</button>` : ""
  let body = ""
  if (told === "asked") body = '<p class="quiet">looking up the stacks …</p>'
  else if (told) {
    body = `<div class="stacks">${stack_html(waited ? `${name(lane)}, which waits` : name(lane), stacks[told[0]])}`
    if (waited) {
      const what = state === WAITING_GIL ? "gives up the GIL" : "ends the wait"
      body += stack_html(by >= 0 ? `${name(by)}, which ${what}` : "unknown thread, which ended the wait",
                         stacks[told[2]])
    }
    body += "</div>"
  } else if (timeline.lanes[lane].kind === "thread" && state !== RUNNING) {
    body = `<p class="quiet">${count > 1 ? "Zoom in to see single intervals and their stacks." :
      "The stacks of this interval are not in this view."}</p>`
  }
  return `<h3><i class="dot" style="background:${looks.color[state]}"></i>${safe(looks.label[state])}: ` +
    `${time_text(choice.end - choice.start)}</h3><p>${facts.join(" · ")} ${jump}</p>${body}`
}

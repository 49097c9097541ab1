// A report is opened from disk: everything is in the page, and there is no kernel to ask.

/** The page and all its sections are light or dark together. */
function themed(dark, theme) {
  document.body.dataset.theme = dark ? "dark" : "light"
  for (const { gilscope } of document.querySelectorAll(".gilscope")) gilscope?.set("theme", theme)
}

async function show_report(number) {
  const box = document.getElementById(`view-${number}`)
  const take = (name) => document.getElementById(`${name}-${number}`).textContent
  const item = JSON.parse(take("figures"))
  const bytes = Uint8Array.from(atob(take("data")), (letter) => letter.charCodeAt(0))
  const [views, data] = await Promise.all([
    Bokeh.embed.embed_item(item, `stage-${number}`), unpack(bytes)])
  const view_of = (model) => Bokeh.index.find_one(model)
  const view = new View(box, data, views.roots[0].model.document, { ask: null, view_of, themed })
  box.gilscope = view
  view.start()
}

function show_reports(count) {
  for (let number = 1; number <= count; number++) {
    show_report(number).catch((error) => {
      document.getElementById(`stage-${number}`).textContent =
        `The timelines cannot be drawn: ${error.message}. A current browser may help.`
      console.error(error)
    })
  }
}

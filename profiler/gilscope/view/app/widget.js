// Hosts the view in a notebook, offline: BokehJS comes over the comm, from the bokeh package of the
// kernel, once a page and version. Shows the live view and hides the static one above it.
// All the rest comes over the comm as well: this file is saved with the widget's state, by some.

const LOADING = "__gilscope_bokeh__"
const PATIENCE = 10_000  // ms; a kernel that is gone does not answer at all
const SLOW = 60_000  // ms; names of native functions are looked up in large files

let asked = 0

/** Ask the kernel for something; resolves with the message and its buffers. */
function ask(model, kind, message = {}, patience = PATIENCE) {
  const number = ++asked
  return new Promise((resolve, reject) => {
    const end = (settle, value) => {
      clearTimeout(timer)
      model.off("msg:custom", listen)
      settle(value)
    }
    const timer = setTimeout(() => end(reject, new Error("the kernel does not answer")), patience)
    function listen(answer, buffers) {
      if (answer.number !== number) return
      if (answer.kind === "error") end(reject, new Error(answer.text))
      else end(resolve, [answer, buffers])
    }
    model.on("msg:custom", listen)
    model.send({ kind, number, ...message })
  })
}

/** The scripts of the view as a module. */
function load(buffer) {
  const url = URL.createObjectURL(new Blob([buffer], { type: "text/javascript" }))
  return import(url).finally(() => URL.revokeObjectURL(url))
}

function run_script(buffer) {
  const url = URL.createObjectURL(new Blob([buffer], { type: "text/javascript" }))
  return new Promise((resolve, reject) => {
    const script = document.createElement("script")
    script.src = url
    script.onload = resolve
    script.onerror = () => reject(new Error("BokehJS could not be loaded"))
    document.head.appendChild(script)
  }).finally(() => URL.revokeObjectURL(url))
}

/** BokehJS of the wanted version: the page's own, else the kernel's. */
function bokeh(model) {
  const version = model.get("bokeh_version")
  const present = () => window.Bokeh?.[version]
  if (present()) return Promise.resolve(present())
  const loading = (window[LOADING] ??= {})
  loading[version] ??= ask(model, "bokeh")
    .then(([, [script]]) => run_script(script))
    .then(present)
    .catch((error) => {
      delete loading[version]
      throw error
    })
  return loading[version]
}

async function show(model, el) {
  const [Bokeh, [message, [figures, packed, scripts]]] = await Promise.all([
    bokeh(model), ask(model, "view", {}, SLOW)])
  const box = document.createElement("div")
  box.className = "gilscope"
  box.tabIndex = 0
  box.setAttribute("role", "application")
  box.setAttribute("aria-label", "Timelines of threads; press ? for the keys")
  box.dataset.lmSuppressShortcuts = "true"
  box.innerHTML = message.frame
  const style = document.createElement("style")
  style.textContent = message.style
  el.replaceChildren(style, box)
  const { View, unpack } = await load(scripts)
  const stage = box.querySelector('[data-role="stage"]')
  const item = JSON.parse(new TextDecoder().decode(figures))
  const data = await unpack(packed)
  const views = await Bokeh.embed.embed_item(item, stage)
  const view_of = (figure) => Bokeh.index.find_one(figure)
  const host = {
    ask: (kind, what) => ask(model, kind, what, kind === "detail" ? SLOW : PATIENCE), view_of }
  const view = new View(box, data, views.roots[0].model.document, host)
  box.gilscope = view
  view.start()
  for (const still of document.getElementsByClassName(message.replaces)) still.hidden = true
  return views
}

function render({ model, el }) {
  let gone = false
  let views = null
  show(model, el).then(
    (shown) => {
      views = shown
      if (gone) views.clear()
    },
    (error) => {
      el.textContent = `The picture above cannot be zoomed: ${error.message}. Run the cell again.`
    },
  )
  return () => {
    gone = true
    views?.clear()
  }
}

export default { render }

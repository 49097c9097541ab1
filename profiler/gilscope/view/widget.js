// Hosts Bokeh in a notebook, offline: BokehJS comes over the comm, from the bokeh package of the
// kernel, once a page and version. Shows the live view and hides the static one above it.

const LOADING = "__gilscope_bokeh__"
const PATIENCE = 10_000  // ms; a kernel that is gone does not answer at all

/** Ask the kernel for something; resolves with the message and its buffers. */
function ask(model, kind) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      model.off("msg:custom", listen)
      reject(new Error("the kernel does not answer"))
    }, PATIENCE)
    function listen(message, buffers) {
      if (message.kind !== kind) return
      clearTimeout(timer)
      model.off("msg:custom", listen)
      resolve([message, buffers])
    }
    model.on("msg:custom", listen)
    model.send({ kind })
  })
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
  const [Bokeh, [message, [item]]] = await Promise.all([bokeh(model), ask(model, "view")])
  const box = document.createElement("div")
  box.className = "gilscope"
  box.setAttribute("role", "application")
  box.setAttribute("aria-label", "Timelines of threads")
  box.dataset.lmSuppressShortcuts = "true"
  box.innerHTML = message.above
  const host = box.appendChild(document.createElement("div"))
  box.insertAdjacentHTML("beforeend", message.below)
  el.replaceChildren(box)
  const json = JSON.parse(new TextDecoder().decode(item))
  const views = await Bokeh.embed.embed_item(json, host)
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

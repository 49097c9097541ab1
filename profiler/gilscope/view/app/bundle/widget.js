// profiler/gilscope/view/app/hosted.js
function keep(model, name, value) {
  model.set(name, value);
  try {
    model.save_changes();
  } catch (error) {
    console.debug(`gilscope: ${name} is set in this page only: ${error}`);
  }
}
async function hosted(model, settings) {
  const manager = model.widget_manager;
  if (!manager?.get_model || !manager.create_view) return null;
  const ids = model.get("controls");
  const parts = await Promise.all(settings.map(async ({ name, options }) => {
    const control = await manager.get_model(ids[name].replace("IPY_MODEL_", ""));
    const view = await manager.create_view(control);
    const values = options.length ? options.map(([value]) => value) : null;
    return { name, control, view, values, key: values ? "index" : "value" };
  }));
  return (page) => new Ipywidgets(page, parts);
}
var Ipywidgets = class {
  /** @param {View} page @param {Part[]} parts */
  constructor(page, parts) {
    this.page = page;
    this.parts = new Map(parts.map((part) => [part.name, part]));
    this.places = /* @__PURE__ */ new Map();
    this.ends = parts.map((part) => this.place(part));
  }
  /** Put a control into the page; returns what ends it. @param {Part} part */
  place({ name, control, view, values, key }) {
    const place = document.createElement("span");
    this.places.set(name, place);
    place.dataset.role = name;
    place.append(view.el);
    this.page.find("settings").append(place);
    const host = view.luminoWidget ?? view.pWidget;
    host?.processMessage({ type: "after-attach", isConflatable: false, conflate: () => false });
    this.show(name, this.page.settings[name]);
    const change = this.page.guard(() => {
      const value = control.get(key);
      this.page.set(name, values ? values[value] ?? this.page.settings[name] : value);
    });
    control.on(`change:${key}`, change);
    return () => {
      control.off(`change:${key}`, change);
      host?.processMessage({ type: "after-detach", isConflatable: false, conflate: () => false });
      view.remove();
    };
  }
  /** @param {SettingName} name @param {unknown} value */
  show(name, value) {
    const part = this.parts.get(name);
    if (!part) return;
    const { control, values, key } = part;
    const wanted = values ? values.indexOf(String(value)) : value;
    if (control.get(key) !== wanted) keep(control, key, wanted);
  }
  /** @param {SettingName} name */
  field(name) {
    return this.places.get(name)?.querySelector("input");
  }
  /** @param {SettingName} name @param {boolean} bad */
  mark(name, bad) {
    this.field(name)?.setAttribute("aria-invalid", String(bad));
  }
  /** @param {SettingName} name */
  focus(name) {
    this.field(name)?.focus();
  }
  end() {
    for (const end of this.ends) end();
  }
};

// profiler/gilscope/view/app/widget.js
var LOADING = "__gilscope_loading__";
var PATIENCE = 1e4;
var SLOW = 6e4;
var LONG = 36e5;
var SOON = 2e3;
var ALONE = "jupyter-widgets-disconnected";
var asked = 0;
var message_of = (error) => error instanceof Error ? error.message : String(error);
function ask(model, kind, message = {}, patience = PATIENCE) {
  const number = ++asked;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      end();
      reject(new Error("the kernel does not answer"));
    }, patience);
    function end() {
      clearTimeout(timer);
      model.off("msg:custom", listen);
    }
    function listen(answer, buffers) {
      if (answer.number !== number) return;
      end();
      if (answer.kind === "error") reject(new Error(answer.text));
      else resolve([answer, buffers]);
    }
    model.on("msg:custom", listen);
    try {
      model.send({ kind, number, ...message });
    } catch {
      end();
      reject(new Error("the kernel is gone"));
    }
  });
}
var url_of = (buffer) => URL.createObjectURL(new Blob([buffer], { type: "text/javascript" }));
function once(name, get) {
  const loading = (
    /** @type {any} */
    window[LOADING] ??= {}
  );
  loading[name] ??= get().catch((error) => {
    delete loading[name];
    throw error;
  });
  return loading[name];
}
var scripts = (model) => once(`view ${model.get("scripts")}`, async () => {
  const [, [buffer]] = await ask(model, "scripts", {}, LONG);
  const url = url_of(buffer);
  return import(url).finally(() => URL.revokeObjectURL(url));
});
function run_script(buffer) {
  const url = url_of(buffer);
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = resolve;
    script.onerror = () => reject(new Error("BokehJS could not be loaded"));
    document.head.appendChild(script);
  }).finally(() => URL.revokeObjectURL(url));
}
function bokeh(model) {
  const version = model.get("bokeh_version");
  const page = (
    /** @type {any} */
    window
  );
  const present = () => page.Bokeh?.[version];
  if (present()) return Promise.resolve(present());
  return once(`bokeh ${version}`, async () => {
    const [, [script]] = await ask(model, "bokeh", {}, LONG);
    await run_script(script);
    return present();
  });
}
function tied(model, view, names) {
  const ends = names.map((name) => {
    const take = () => view.set(name, model.get(name));
    const change = view.guard(() => name === "range" ? queueMicrotask(view.guard(take)) : take());
    model.on(`change:${name}`, change);
    return () => model.off(`change:${name}`, change);
  });
  return () => ends.forEach((end) => end());
}
function attached(element, signal) {
  return new Promise((resolve, reject) => {
    const watch = new MutationObserver(look);
    function look() {
      if (!element.isConnected && !signal.aborted) return;
      watch.disconnect();
      signal.removeEventListener("abort", look);
      if (signal.aborted) reject(new Error("the view was closed"));
      else resolve(void 0);
    }
    signal.addEventListener("abort", look);
    watch.observe(document, { childList: true, subtree: true });
    look();
  });
}
async function embed(Bokeh, item, stage, signal) {
  for (; ; ) {
    await attached(stage, signal);
    try {
      return await Bokeh.embed.embed_item(item, stage);
    } catch (error) {
      if (stage.isConnected) throw error;
    }
  }
}
function box_of(frame) {
  const box = document.createElement("div");
  box.className = "gilscope";
  box.tabIndex = 0;
  box.setAttribute("role", "application");
  box.setAttribute("aria-label", "Timelines of threads; press ? for the keys");
  box.dataset.lmSuppressShortcuts = "true";
  box.innerHTML = frame;
  return box;
}
async function show(model, el, waiting, signal) {
  const [Bokeh, { View, START, unpack }, [message, [figures, packed]]] = await Promise.all([
    bokeh(model),
    scripts(model),
    ask(model, "view", {}, LONG)
  ]);
  if (!Bokeh) throw new Error("BokehJS could not be loaded");
  const box = box_of(message.frame);
  const style = document.createElement("style");
  style.textContent = message.style;
  clearTimeout(waiting);
  el.replaceChildren(style, box);
  const stage = (
    /** @type {Element} */
    box.querySelector('[data-role="stage"]')
  );
  const item = JSON.parse(new TextDecoder().decode(figures));
  const data = await unpack(packed);
  const [views, panel] = await Promise.all([
    embed(Bokeh, item, stage, signal),
    hosted(model, data.settings)
  ]);
  const names = (
    /** @type {SettingName[]} */
    Object.keys(START)
  );
  const view = new View(box, data, views.roots[0].model.document, {
    ask: (kind, what) => ask(model, kind, what, kind === "detail" ? SLOW : PATIENCE),
    view_of: (figure) => Bokeh.index.find_one(figure),
    panel,
    settings: Object.fromEntries(names.map((name) => [name, model.get(name)])),
    told: (name, value) => keep(model, name, value)
  });
  box.gilscope = view;
  view.start();
  const untie = tied(model, view, names);
  const replaced = (
    /** @type {HTMLCollectionOf<HTMLElement>} */
    document.getElementsByClassName(message.replaces)
  );
  for (const still of replaced) still.hidden = true;
  return () => {
    untie();
    view.end();
    view.panel?.end?.();
    views.clear();
    const { document: document2 } = view, { documents } = Bokeh;
    document2.clear();
    if (documents.includes(document2)) documents.splice(documents.indexOf(document2), 1);
    el.replaceChildren();
    delete box.gilscope;
  };
}
function render({ model, el }) {
  if (el.closest(`.${ALONE}`)) {
    el.textContent = "The picture above cannot be zoomed: this page has no kernel.";
    return () => {
    };
  }
  const closing = new AbortController();
  let end = null;
  const waiting = setTimeout(() => {
    el.textContent = "The interactive view will appear when the kernel is idle.";
  }, SOON);
  show(model, el, waiting, closing.signal).then(
    (ready) => {
      end = ready;
      if (closing.signal.aborted) end();
    },
    (error) => {
      clearTimeout(waiting);
      if (closing.signal.aborted) return;
      el.textContent = `The picture above cannot be zoomed: ${message_of(error)}. Run the cell again.`;
    }
  );
  return () => {
    closing.abort();
    end?.();
  };
}
var widget_default = { render };
export {
  widget_default as default
};

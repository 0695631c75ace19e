// What pages do better with a script. Each works without.

const lang = document.documentElement.lang;

// Moments in the reader's zone; the other zone on hover.
const moments = (root) => {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = `${at.toLocaleString(lang, { timeZone: "UTC", dateStyle: "medium", timeStyle: "medium" })} UTC`;
    time.textContent = at.toLocaleString(lang, { dateStyle: "medium", timeStyle: "short" });
  }
};

// What is wider than its place can be reached by keyboard, so that arrow keys scroll it. Where it fits, it is no stop on the way.
const widths = new ResizeObserver((seen) => {
  for (const { target } of seen) {
    if (target.scrollWidth > target.clientWidth) {
      const name = target.querySelector("caption") ?? target.closest("[aria-labelledby]")?.querySelector("h2, h3") ?? document.querySelector("h1");
      target.tabIndex = 0;
      target.setAttribute("role", "group");
      target.setAttribute("aria-label", name?.textContent ?? "");
    } else for (const name of ["tabindex", "role", "aria-label"]) target.removeAttribute(name);
  }
});

// Moments that somebody types are of the reader's zone, unless an address says of which.
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
const zones = (root) => {
  for (const zone of root.querySelectorAll("[data-zone]")) {
    const typed = [...zone.form.querySelectorAll("input[type=datetime-local]")].some((field) => field.value);
    if (zone.value || typed) continue;
    zone.value = here;
    for (const name of zone.form.querySelectorAll("[data-zone-name]")) name.textContent = `(${here})`;
  }
};

const prepare = (root) => {
  moments(root);
  zones(root);
  for (const part of root.querySelectorAll(".scroll")) widths.observe(part);
  for (const button of root.querySelectorAll("[data-without-script]")) button.hidden = true;
  // A choice that sends its form.
  for (const choice of root.querySelectorAll("[data-sends]")) choice.addEventListener("change", () => choice.form.requestSubmit());
  for (const part of root.querySelectorAll("[data-with-script]")) part.hidden = false;
  // A button that copies what is shown once.
  for (const button of root.querySelectorAll("[data-copies]")) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
      button.textContent = button.dataset.copied;
    });
  }
  // A sample of the voice that is chosen.
  for (const sample of root.querySelectorAll("[data-sound-of]")) {
    const choice = document.getElementById(sample.dataset.soundOf);
    choice.addEventListener("change", () => {
      const { sound } = choice.selectedOptions[0].dataset;
      sample.hidden = !sound;
      if (sound) sample.src = sound;
      else sample.removeAttribute("src");
    });
  }
  // A file whose text goes into a field.
  for (const file of root.querySelectorAll("[data-fills]")) file.addEventListener("change", async () => {
    if (file.files[0]) document.getElementById(file.dataset.fills).value = await file.files[0].text();
  });
  // What stands behind the # of an address, which no server sees.
  for (const field of root.querySelectorAll("[data-from-fragment]")) {
    if (location.hash.length < 9 || field.value) continue;
    field.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
    if (field.dataset.fromFragment === "send") field.form.requestSubmit();
  }
  // A step that is asked about first.
  for (const button of root.querySelectorAll("[data-sure]"))
    button.addEventListener("click", (event) => {
      if (!confirm(button.dataset.sure)) event.preventDefault();
    });
};
prepare(document);

document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest" });

// On a narrow screen the menu is closed until it is asked for.
const menu = document.querySelector(".menu");
if (menu) {
  const narrow = matchMedia("(max-width: 60rem)");
  const fit = () => { menu.open = !narrow.matches; };
  narrow.addEventListener("change", fit);
  fit();
}

// What keeps a form from being sent is seen, also where it is folded away.
document.addEventListener("invalid", (event) => {
  const folded = "details:not([open])";
  for (let part = event.target.closest(folded); part; part = part.parentElement.closest(folded)) part.open = true;
}, true);

// What was done is said until somebody changes something, and changes of one form are not lost by sending another unasked.
const changed = new Set();
document.addEventListener("input", ({ target }) => {
  if (target.form?.method !== "post") return;
  document.querySelector("main > .notice.good")?.remove();
  changed.add(target.form);
});
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  const others = [...changed].filter((form) => form !== event.target && form.isConnected && !form.matches("[data-keep], [data-parts]"));
  if (others.length > 0 && !confirm(document.body.dataset.others)) event.preventDefault();
});

// What a form kept in this browser goes once the server says that it was done, and not when it was only sent.
const sent = {
  begin: (place) => sessionStorage.setItem(`sent ${place}`, ""),
  end: () => {
    const isDone = new URLSearchParams(location.search).has("said");
    for (const name of Object.keys(sessionStorage).filter((name) => name.startsWith("sent "))) {
      if (isDone) localStorage.removeItem(name.slice(5));
      sessionStorage.removeItem(name);
    }
  },
};
sent.end();

const later = (milliseconds, what) => {
  let waits;
  return () => {
    clearTimeout(waits);
    waits = setTimeout(what, milliseconds);
  };
};

// What a form shows beside it while somebody types: the server renders it.
for (const form of document.querySelectorAll("form[data-preview]")) {
  const shown = document.getElementById(form.dataset.shows);
  let latest = 0;
  const refresh = async () => {
    const mine = ++latest;
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (answer.redirected) { location.reload(); return; }
      const html = await answer.text();
      if (mine !== latest || !answer.ok) return;
      const page = new DOMParser().parseFromString(html, "text/html");
      prepare(page);
      shown.replaceChildren(...page.body.childNodes);
      faults(form, shown);
    } catch { /* The next keystroke tries again. */ }
  };
  form.addEventListener("input", later(350, refresh));
}

// Faults that the preview found, marked at their fields too.
function faults(form, shown) {
  for (const field of form.querySelectorAll("[data-wrong]")) {
    field.removeAttribute("aria-invalid");
    delete field.dataset.wrong;
  }
  for (const fault of shown.querySelectorAll("[data-at]")) {
    const field = form.elements[fault.dataset.at.split("/")[1]];
    if (field instanceof Element) {
      field.setAttribute("aria-invalid", "true");
      field.dataset.wrong = "";
    }
  }
}

// What is typed and not saved survives a reload: it is offered, never put back silently.
for (const form of document.querySelectorAll("form[data-keep]")) {
  const place = `unsaved ${form.dataset.keep}`;
  const says = form.querySelector("[data-kept]");
  const words = () => {
    const fields = [...new FormData(form)].filter(([name]) => !["form", "etag", "seen", "draft"].includes(name));
    return JSON.stringify(fields);
  };
  const clean = words();
  const mark = form.querySelector("[data-unsaved]");
  form.addEventListener("input", () => { if (mark) mark.hidden = words() === clean; });
  const kept = localStorage.getItem(place);
  if (kept && kept !== clean && says) {
    const { kept: found, restore: again, forget } = says.dataset;
    const button = (text, does) => {
      const made = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: text });
      made.addEventListener("click", () => { does(); says.replaceChildren(); });
      return made;
    };
    says.append(found, " ", button(again, () => restore(form, JSON.parse(kept))), " ", button(forget, () => localStorage.removeItem(place)));
  } else localStorage.removeItem(place);
  form.addEventListener("input", later(300, () => {
    const now = words();
    if (now === clean) localStorage.removeItem(place);
    else localStorage.setItem(place, now);
  }));
  form.addEventListener("submit", () => sent.begin(place));
}

function restore(form, fields) {
  const values = new Map();
  for (const [name, value] of fields) values.set(name, [...(values.get(name) ?? []), value]);
  for (const field of form.elements) {
    if (!field.name || ["form", "etag", "seen", "draft"].includes(field.name)) continue;
    const own = values.get(field.name) ?? [];
    if (field.type === "checkbox" || field.type === "radio") field.checked = own.includes(field.value);
    else if (field.type !== "hidden" && field.tagName !== "BUTTON") field.value = own[0] ?? "";
  }
  form.dispatchEvent(new Event("input", { bubbles: true }));
}

// Prompts: names and blocks in colours, a size meter, and names to complete behind an opening brace.
const names = [...document.querySelectorAll("[data-names] code")].map((code) => code.textContent);

for (const area of document.querySelectorAll("textarea[data-template]")) {
  const editor = Object.assign(document.createElement("div"), { className: "editor lit" });
  const below = document.createElement("pre");
  below.setAttribute("aria-hidden", "true");
  area.before(editor);
  editor.append(below, area);
  const most = Number(area.dataset.most);
  const meter = most ? Object.assign(document.createElement("p"), { className: "hint" }) : null;
  if (meter) editor.after(meter);

  const paint = () => {
    const parts = area.value.split(/(\{\{[^]*?\}\}|\{%[^]*?%\}|\{#[^]*?#\})/);
    below.replaceChildren(...parts.map((part) => {
      const span = document.createElement("span");
      if (part.startsWith("{{")) span.className = "name";
      else if (part.startsWith("{%")) span.className = "block";
      else if (part.startsWith("{#")) span.className = "muted";
      span.textContent = part;
      return span;
    }), "\n");
    below.scrollTop = area.scrollTop;
    if (meter) meter.textContent = `${[...area.value].length.toLocaleString(lang)} / ${most.toLocaleString(lang)}`;
  };
  area.addEventListener("input", paint);
  area.addEventListener("scroll", () => { below.scrollTop = area.scrollTop; });
  paint();

  // Completion: a list that arrow keys move in, Enter or Tab takes from, and Escape closes.
  if (names.length === 0) continue;
  const list = Object.assign(document.createElement("ul"), { className: "complete", hidden: true, id: `complete-${area.id}` });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", document.querySelector("[data-names]").closest("details").querySelector("summary").textContent);
  editor.append(list);
  area.setAttribute("aria-controls", list.id);
  area.setAttribute("aria-autocomplete", "list");
  let at = 0;
  const begun = () => /\{[{%][^{}]*?([\w.["\]-]*)$/.exec(area.value.slice(0, area.selectionStart));
  const close = () => { list.hidden = true; area.removeAttribute("aria-activedescendant"); };
  const choose = (name) => {
    const match = begun();
    if (!match) return;
    const start = area.selectionStart - match[1].length;
    const inName = area.value.slice(0, start).lastIndexOf("{{") > area.value.slice(0, start).lastIndexOf("{%");
    const closed = area.value.slice(area.selectionStart).trimStart().startsWith("}}");
    area.setRangeText(name + (inName && !closed ? " }}" : ""), start, area.selectionStart, "end");
    close();
    area.dispatchEvent(new Event("input", { bubbles: true }));
    close();
  };
  const show = () => {
    const match = begun();
    const found = match ? names.filter((name) => name.startsWith(match[1]) && name !== match[1]).slice(0, 30) : [];
    if (found.length === 0) { close(); return; }
    at = Math.min(at, found.length - 1);
    list.replaceChildren(...found.map((name, index) => {
      const item = Object.assign(document.createElement("li"), { textContent: name, id: `${list.id}-${index}` });
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(index === at));
      item.addEventListener("mousedown", (event) => { event.preventDefault(); choose(name); });
      return item;
    }));
    const lines = area.value.slice(0, area.selectionStart).split("\n").length;
    list.style.setProperty("top", `${Math.min(lines * 1.44 + 0.8, area.clientHeight / 16) - area.scrollTop / 16}rem`);
    list.hidden = false;
    area.setAttribute("aria-activedescendant", `${list.id}-${at}`);
  };
  area.addEventListener("input", () => { at = 0; show(); });
  area.addEventListener("blur", close);
  area.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      at = (at + (event.key === "ArrowDown" ? 1 : list.children.length - 1)) % list.children.length;
      show();
    } else if (event.key === "Enter" || event.key === "Tab") choose(list.children[at].textContent);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
}

// Forms of parts (`data-parts`): a button that only changes the form, a choice that other fields follow from, and "try it", without a new page.
// What is not saved is kept in this browser, and offered when the page is opened again.
const parts = (form) => {
  const kept = `unsaved:${form.dataset.document}`;
  const fields = (submitter) => new URLSearchParams(new FormData(form, submitter));
  // What the form is about is no change of it.
  const passing = /^(form|etag|draft|base|seen|zone|part|do|try\..*|r\d+\.open)$/;
  const content = () => [...new FormData(form)].filter(([name]) => !passing.test(name));
  const running = {};
  // A later question of a kind takes the place of an earlier one.
  const send = async (kind, body) => {
    running[kind]?.abort();
    running[kind] = new AbortController();
    const answer = await fetch(form.action, { method: "POST", body, signal: running[kind].signal });
    if (answer.redirected) { location = answer.url; return null; }
    return answer.text();
  };

  const tried = () => document.getElementById("tried");
  let waiting;
  const tryIt = () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => {
      const body = fields();
      body.set("do", "try");
      body.set("part", "tried");
      try {
        const html = await send("try", body);
        const part = html && new DOMParser().parseFromString(html, "text/html").querySelector("#tried-part");
        if (part && tried().innerHTML !== part.innerHTML) tried().innerHTML = part.innerHTML;
      } catch { /* the next change tries again */ }
    }, 500);
  };

  // The whole form anew, as the server draws it; what had the focus has it again.
  const redraw = async (body, focus) => {
    const values = new Map([...form.elements].map((field) => [field, field.type === "checkbox" ? field.checked : field.value]));
    let html;
    try { html = await send("draw", body); } catch { return; }
    if (!html) return;
    const page = new DOMParser().parseFromString(html, "text/html");
    const fresh = page.getElementById(form.id);
    if (!fresh) { form.submit(); return; }
    const result = tried().innerHTML;
    const { id: before, selectionStart: start, selectionEnd: end } = document.activeElement ?? {};
    // What was typed while the server drew.
    const later = [...form.elements].filter((field) => field.id && values.has(field) && values.get(field) !== (field.type === "checkbox" ? field.checked : field.value));
    form.replaceChildren(...fresh.childNodes);
    for (const field of later) {
      const same = document.getElementById(field.id);
      if (same) { same.value = field.value; same.checked = field.checked; }
    }
    form.dataset.focus = fresh.dataset.focus;
    if (!tried().children.length) tried().innerHTML = result;
    prepare(form);
    dress();
    keep();
    const wanted = focus ?? form.dataset.focus;
    const part = wanted ? document.getElementById(wanted) : null;
    const inside = part?.matches("[data-rule]") ? "summary" : "select, input:not([type=hidden]), summary, button:not([disabled])";
    const target = part ? part.querySelector(inside) ?? part : document.getElementById(before);
    target?.focus({ preventScroll: !part });
    if (!part && start !== null && start !== undefined) try { target?.setSelectionRange(start, end); } catch { /* it has no text */ }
    part?.scrollIntoView({ block: "nearest" });
    // What keeps the comparison back stands at the top.
    if (body.get("do") === "impact") form.querySelector(".notice.bad")?.scrollIntoView({ block: "center" });
    tryIt();
  };
  const refresh = () => {
    const body = fields();
    body.set("do", "refresh");
    redraw(body, null);
  };

  const changesNothing = (name) => /^(rule|clause|field|arm|test)-|^(split|unsplit)|^(refresh|impact|try)$/.test(name);
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button?.dataset.confirm && !confirm(button.dataset.confirm)) { event.preventDefault(); return; }
    if (button && changesNothing(button.value)) {
      event.preventDefault();
      redraw(fields(button));
    } else sent.begin(kept);
  });
  form.addEventListener("change", (event) => {
    keep();
    if (event.target.matches("[data-refreshes], [data-words]")) refresh();
  });
  form.addEventListener("input", () => { keep(); tryIt(); });
  form.addEventListener("toggle", (event) => {
    const open = event.target.closest(".rule")?.querySelector("[data-open]");
    if (open) open.value = event.target.open ? "1" : "";
  }, true);

  // Alt and an arrow moves the rule that has the focus.
  form.addEventListener("keydown", (event) => {
    const way = { ArrowUp: "[data-up]", ArrowDown: "[data-down]" }[event.key];
    const button = event.altKey && way && event.target.closest("summary, .moves")?.closest("[data-rule]")?.querySelector(way);
    if (button && !button.disabled) { event.preventDefault(); button.click(); }
  });

  let begun = "";
  const keep = () => {
    const now = JSON.stringify(content());
    const mark = form.querySelector("[data-unsaved]");
    if (mark) mark.hidden = now === begun;
    if (now === begun) localStorage.removeItem(kept);
    else localStorage.setItem(kept, JSON.stringify({ of: [...new FormData(form)].filter(([name]) => /^(draft|etag|base|seen)$/.test(name)), fields: content() }));
  };

  const dress = () => {
    for (const handle of form.querySelectorAll("[data-handle]")) {
      handle.hidden = false;
      const rule = handle.closest("[data-rule]");
      handle.draggable = true;
      handle.addEventListener("dragstart", (event) => {
        event.dataTransfer.setData("text/plain", rule.dataset.rule);
        event.dataTransfer.setDragImage(rule, 10, 10);
        event.dataTransfer.effectAllowed = "move";
        form.dataset.dragged = rule.dataset.rule;
      });
      handle.addEventListener("dragend", () => { delete form.dataset.dragged; });
    }
    for (const rule of form.querySelectorAll("[data-rule]")) {
      rule.addEventListener("dragover", (event) => {
        if (form.dataset.dragged === undefined) return;
        event.preventDefault();
        rule.dataset.over = "";
      });
      rule.addEventListener("dragleave", () => { delete rule.dataset.over; });
      rule.addEventListener("drop", (event) => {
        delete rule.dataset.over;
        const from = form.dataset.dragged;
        delete form.dataset.dragged;
        if (from === undefined || from === rule.dataset.rule) return;
        event.preventDefault();
        const body = fields();
        body.set("do", `rule-move:${from}:${rule.dataset.rule}`);
        redraw(body);
      });
    }
  };

  // What was kept: of a page that was left without saving.
  const offer = () => {
    const banner = document.getElementById("unsaved");
    if (form.hasAttribute("data-changed")) return;
    let found = null;
    try { found = JSON.parse(localStorage.getItem(kept)); } catch { localStorage.removeItem(kept); }
    if (!found || JSON.stringify(found.fields) === begun || !form.querySelector("[name=was]")) return;
    banner.hidden = false;
    banner.querySelector("[data-forget]").addEventListener("click", () => { localStorage.removeItem(kept); banner.hidden = true; });
    banner.querySelector("[data-restore]").addEventListener("click", () => {
      // About the state that they were written on: if there is another by now, saving tells it.
      const own = [...new FormData(form)].filter(([name]) => /^(form|zone|try\..*)$/.test(name));
      const body = new URLSearchParams([...own, ...found.of, ...found.fields]);
      for (const [name] of found.fields) {
        const rule = /^(r\d+)\./.exec(name)?.[1];
        if (rule && !body.has(`${rule}.open`)) body.append(`${rule}.open`, "");
      }
      body.set("do", "refresh");
      banner.hidden = true;
      redraw(body, null);
    });
  };

  begun = JSON.stringify(content());
  offer();
  dress();
  tryIt();
};
for (const form of document.querySelectorAll("form[data-parts]")) parts(form);

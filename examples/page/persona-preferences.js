// <persona-preferences gateway="https://gateway.example.com"></persona-preferences>
//
// A user of your product chooses the face, voice, language and manner of their persona. It asks the gateway what there is to choose, and
// saves what the user chose. No framework, no build: copy this file. docs/PICKER.md describes it.

const TEXTS = {
  en: {
    avatarId: "Face", voiceId: "Voice", languageCode: "Language", llmId: "Language model", displayName: "What we call you",
    tone: "How we talk to you", systemPrompt: "Your own instructions",
    any: "No preference", yes: "Yes", no: "No", female: "female", male: "male", listen: "Listen to {name}", save: "Save", again: "Try again",
    loading: "Loading …", saving: "Saving …", saved: "Saved. Your next conversation has it.", unchanged: "Nothing has changed.",
    empty: "There is nothing to choose.", invalid: "Please correct what is marked.",
    conflict: "Your choices were changed elsewhere meanwhile. They are loaded; what you changed here is not saved yet: please save again.",
    signIn: "Please sign in again.", busy: "Too busy right now. Please try again in {seconds} seconds.", ready: "You can try again now.",
    unreachable: "There is no connection. Please try again.", failed: "This does not work right now ({code}).",
    silent: "This sample can't be played.",
  },
  de: {
    avatarId: "Gesicht", voiceId: "Stimme", languageCode: "Sprache", llmId: "Sprachmodell", displayName: "Wie wir Sie nennen",
    tone: "Wie wir mit Ihnen sprechen", systemPrompt: "Ihre eigenen Anweisungen",
    any: "Keine Vorliebe", yes: "Ja", no: "Nein", female: "weiblich", male: "männlich", listen: "{name} anhören", save: "Speichern", again: "Noch einmal versuchen",
    loading: "Wird geladen …", saving: "Wird gespeichert …", saved: "Gespeichert. Es gilt ab dem nächsten Gespräch.",
    unchanged: "Es hat sich nichts geändert.", empty: "Es gibt nichts auszuwählen.", invalid: "Bitte berichtigen Sie, was markiert ist.",
    conflict: "Ihre Auswahl wurde inzwischen anderswo geändert und neu geladen. Ihre Änderungen hier sind noch nicht gespeichert: bitte speichern Sie noch einmal.",
    signIn: "Bitte melden Sie sich neu an.", busy: "Gerade ist zu viel los. Bitte versuchen Sie es in {seconds} Sekunden noch einmal.",
    ready: "Sie können es jetzt noch einmal versuchen.", unreachable: "Keine Verbindung. Bitte versuchen Sie es noch einmal.",
    failed: "Das geht gerade nicht ({code}).", silent: "Diese Probe lässt sich nicht abspielen.",
  },
};

const LISTS = new Map([["avatarId", "avatars"], ["voiceId", "voices"], ["languageCode", "languages"], ["llmId", "llms"]]);
const LINES = new Map([["displayName", 80], ["tone", 40]]);
const ALL = "avatarId voiceId languageCode displayName tone *";

// light-dark() follows the page's own color-scheme, so the picker is dark exactly where the page is.
const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
  :host { display: block; color: var(--persona-text, light-dark(#1c2024, #e9ebee)); line-height: 1.4;
    --accent: var(--persona-accent, light-dark(#1a5fb4, #8fc1ff)); --line: var(--persona-border, light-dark(#80868f, #7d858f));
    --surface: var(--persona-surface, light-dark(#fff, #202428)); --soft: var(--persona-soft, light-dark(#5a6169, #b4bbc4));
    --error: var(--persona-error, light-dark(#b3261e, #ffb4ab)); --radius: var(--persona-radius, .5rem) }
  :host([hidden]), [hidden] { display: none !important }
  form, .fields { display: grid; gap: 1.25rem }
  .fields:empty { display: none }
  fieldset { border: 0; margin: 0; padding: 0; min-inline-size: 0 }
  legend, .label { display: block; padding: 0; margin-block-end: .375rem; font-weight: 600 }
  .cards { display: grid; gap: .5rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 12rem), 1fr)); max-block-size: 24rem;
    overflow: auto; padding: 3px; margin: -3px }
  .cards.faces { grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)) }
  .card { display: flex; align-items: center; border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface) }
  .card:has(:checked) { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent) }
  .card label { flex: 1; display: flex; align-items: center; gap: .5rem; padding: .5rem .75rem; min-block-size: 1.75rem; cursor: pointer;
    overflow-wrap: anywhere; min-inline-size: 0 }
  .faces label { flex-direction: column; align-self: stretch; text-align: center; position: relative; padding: .75rem .5rem }
  .faces input { position: absolute; inset: .5rem auto auto .5rem }
  .picture { inline-size: 4rem; block-size: 4rem; border-radius: 50%; object-fit: cover; display: grid; place-items: center;
    font-size: 1.25rem; color: var(--soft); background: color-mix(in srgb, var(--accent) 15%, var(--surface)) }
  small { display: block; color: var(--soft) }
  input, select, textarea, button { font: inherit; color: inherit; accent-color: var(--accent); margin: 0 }
  :is(input:not([type=radio]), select, textarea) { box-sizing: border-box; inline-size: 100%; padding: .5rem .625rem;
    border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface) }
  [aria-invalid=true]:not(fieldset), [aria-invalid=true] .card { border-color: var(--error) }
  button { border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface); padding: .5rem 1.25rem; cursor: pointer }
  button[type=submit] { background: var(--accent); border-color: var(--accent); color: var(--persona-on-accent, light-dark(#fff, #10151a)) }
  button[aria-disabled=true] { opacity: .6; cursor: default }
  .card button { padding: .375rem .625rem; margin-inline-end: .5rem; line-height: 1 }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
  .error { color: var(--error); margin: .25rem 0 0 }
  .end { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem }
  [role=status] { margin: 0; flex: 1 1 12rem; min-block-size: 1.4em }
  [role=status].bad { color: var(--error) }
`);

// Whatever comes from the gateway becomes text, an attribute's value or a checked address; never markup.
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || ["part", "role", "class", "for", "lang"].includes(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
const capital = (text) => text.replace(/^./u, (first) => first.toUpperCase());
// favouriteTeam: Favourite team
const words = (name) => capital(name.replace(/_/g, " ").replace(/(?<=[a-z])[A-Z](?![A-Z])/g, (letter) => ` ${letter.toLowerCase()}`));
const initials = (name) => name.trim().split(/\s+/).slice(0, 2).map((word) => [...word][0] ?? "").join("");

function address(...found) {
  const text = found.find((one) => typeof one === "string");
  return text && URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) ? text : undefined;
}

export class PersonaPreferences extends HTMLElement {
  static observedAttributes = ["gateway", "tenant", "fields", "lang"];

  #token; #texts = {}; #options; #stored; #etag; #fields = []; #audio; #round = 0; #timer; #busy = false;
  #root = this.attachShadow({ mode: "open", delegatesFocus: true });
  #status = make("p", { role: "status", part: "status" });
  #button = make("button", { type: "submit", part: "button" });
  #list = make("div", { class: "fields" });
  #form = make("form", { noValidate: true, part: "form" }, this.#list, make("div", { class: "end" }, this.#button, this.#status));

  connectedCallback() {
    this.#root.adoptedStyleSheets = [STYLE];
    this.#root.replaceChildren(this.#form);
    this.#form.onsubmit = (event) => {
      event.preventDefault();
      if (!this.#busy) this.#options ? this.save() : this.load();
    };
    this.#form.onchange = () => this.dispatchEvent(new Event("change", { bubbles: true }));
    // What a page set before this file was there.
    for (const name of ["token", "texts"]) {
      if (Object.hasOwn(this, name)) { const value = this[name]; delete this[name]; this[name] = value; }
    }
    this.load();
  }

  disconnectedCallback() {
    this.#round++;
    clearTimeout(this.#timer);
    this.#audio?.pause();
  }

  attributeChangedCallback(name) {
    if (!this.isConnected) return;
    if (name === "gateway" || name === "tenant") this.load();
    else this.#render();
  }

  /** async ({ refresh }) => the user's token; `refresh` says that the last one was refused. */
  get token() { return this.#token; }
  set token(give) {
    this.#token = give;
    // Nobody sees what another user chose.
    this.#options = undefined;
    this.#fields = [];
    this.#render();
    this.#say("");
    this.load();
  }

  /** Texts in place of the built-in ones: names of fields, `experience.beginner` for a value, and those of TEXTS above. */
  get texts() { return this.#texts; }
  set texts(texts) { this.#texts = texts ?? {}; this.#render(); }

  /** What is chosen at the moment, saved or not. */
  get value() {
    return Object.fromEntries(this.#fields.map((field) => [field.name, field.read()]).filter(([, value]) => value !== null));
  }

  /** Reads everything again; what the user changed and did not save stays. */
  async load() {
    const round = ++this.#round;
    if (!this.isConnected || !this.#token || !this.hasAttribute("gateway")) return false;
    this.#wait("loading");
    try {
      const options = await this.#call("/v1/me/options");
      const stored = options.status === 200 ? await this.#call("/v1/me/preferences") : options;
      if (round !== this.#round) return false;
      if (stored.status !== 200) return this.#explain(stored);
      this.#options = options.body;
      this.#keep(stored);
      this.#render();
      this.#say(this.#fields.length ? "" : this.#text("empty"));
      return true;
    } catch (error) {
      return round === this.#round && this.#explain(error);
    }
  }

  /** Saves what has changed. True if it is saved. */
  async save() {
    if (this.#busy || !this.#options) return false;
    const patch = this.#changed();
    this.#fields.forEach((field) => field.fail());
    if (!Object.keys(patch).length) {
      this.#say(this.#text("unchanged"));
      return true;
    }
    const round = ++this.#round;
    this.#wait("saving");
    try {
      const answer = await this.#call("/v1/me/preferences", {
        method: "PATCH",
        headers: { "Content-Type": "application/merge-patch+json", ...(this.#etag && { "If-Match": this.#etag }) },
        body: JSON.stringify(patch),
      });
      if (round !== this.#round) return false;
      if (answer.status === 412) {
        if (await this.load()) this.#say(this.#text("conflict"), true);
        return false;
      }
      if (answer.status !== 200) return this.#explain(answer);
      this.#keep(answer);
      this.#fields.forEach((field) => field.write(this.#stored[field.name]));
      this.#say(this.#text("saved"));
      this.dispatchEvent(new CustomEvent("persona-preferences-saved", { bubbles: true, detail: { ...this.#stored } }));
      return true;
    } catch (error) {
      return round === this.#round && this.#explain(error);
    }
  }

  async #call(path, { headers, ...request } = {}, refresh = false) {
    const token = await this.#token({ refresh });
    const tenant = this.getAttribute("tenant");
    const answer = await fetch(this.getAttribute("gateway").replace(/\/+$/, "") + path, {
      ...request,
      headers: { ...headers, Authorization: `Bearer ${token}`, ...(tenant && { "Persona-Gateway-Tenant": tenant }) },
      credentials: "omit",
      cache: "no-store",
    });
    if (answer.status === 401 && !refresh) return this.#call(path, { headers, ...request }, true);
    const { status } = answer;
    const header = (name) => answer.headers.get(name);
    return { status, etag: header("ETag"), wait: header("Retry-After"), body: await answer.json().catch(() => ({})) };
  }

  #keep({ body, etag }) { this.#stored = body; this.#etag = etag; }

  #changed() {
    const changed = this.#fields.map((field) => [field.name, field.read(), field.before]);
    return Object.fromEntries(changed.filter(([, now, before]) => now !== before));
  }

  get #language() {
    return this.closest("[lang]")?.lang || document.documentElement.lang || navigator.language;
  }

  #text(name, values = {}, otherwise = words(name)) {
    const texts = { ...TEXTS.en, ...TEXTS[this.#language.slice(0, 2).toLowerCase()], ...this.#texts };
    return Object.hasOwn(texts, name) ? fill(texts[name], values) : otherwise;
  }

  #say(text, bad = false) {
    clearTimeout(this.#timer);
    this.#busy = false;
    this.#button.removeAttribute("aria-disabled");
    this.#status.textContent = text;
    this.#status.classList.toggle("bad", bad);
    this.#button.textContent = this.#text(this.#options ? "save" : "again");
    this.#button.hidden = this.#options ? !this.#fields.length : !bad;
  }

  // The button keeps the focus while it does nothing.
  #wait(name, values) {
    this.#say(this.#text(name, values));
    this.#busy = true;
    this.#button.setAttribute("aria-disabled", "true");
  }

  /** Says what an answer other than the wanted one means; false. */
  #explain(answer) {
    const { status, body, wait } = answer;
    this.dispatchEvent(new CustomEvent("persona-preferences-error", { bubbles: true, detail: { status, ...body, error: status ? undefined : answer } }));
    if (!status) this.#say(this.#text("unreachable"), true);
    else if (status === 401) this.#say(this.#text("signIn"), true);
    else if (status === 422 && body.errors) {
      const faults = body.errors.map(({ pointer, message }) => [this.#fields.find((field) => `/${field.name}` === pointer), message]);
      faults.forEach(([field, message]) => field?.fail(message));
      this.#say([this.#text("invalid"), ...faults.filter(([field]) => !field).map(([, message]) => message)].join(" "), true);
      faults.find(([field]) => field)?.[0].focus();
    } else if (status === 429 || status === 503) {
      const seconds = Math.min(Math.max(Number(wait) || 5, 1), 3600);
      this.#wait("busy", { seconds });
      this.#button.hidden = false;
      this.#timer = setTimeout(() => this.#say(this.#text("ready"), true), seconds * 1000);
    } else this.#say(this.#text("failed", { code: body.code ?? status }), true);
    return false;
  }

  #render() {
    if (!this.isConnected) return;
    const kept = this.#changed();
    const own = this.#options?.preferences ?? {};
    const names = (this.getAttribute("fields") ?? ALL).split(/\s+/).flatMap((name) => (name === "*" ? Object.keys(own) : [name]));
    this.#fields = this.#options ? names.map((name) => this.#field(name, Object.hasOwn(own, name) ? own[name] : undefined)).filter(Boolean) : [];
    for (const field of this.#fields) {
      field.write(this.#stored[field.name]);
      if (Object.hasOwn(kept, field.name)) field.show(kept[field.name]);
    }
    this.#list.replaceChildren(...this.#fields.map((field) => field.element));
    // What is chosen is in sight, however long the list is.
    for (const radio of this.#list.querySelectorAll(":checked[type=radio]")) {
      const box = radio.closest(".cards");
      box.scrollTop = radio.closest(".card").offsetTop - box.offsetTop - 8;
    }
    this.#button.textContent = this.#text(this.#options ? "save" : "again");
    this.#button.hidden = !this.#fields.length;
  }

  #field(name, own) {
    const label = this.#text(name);
    if (LISTS.has(name)) {
      const list = this.#options[LISTS.get(name)];
      if (!list?.length) return undefined;
      if (name === "avatarId" || name === "voiceId") return this.#cards(name, label, list);
      return this.#control(name, label, this.#select(list.map((entry) => [entry.id, entry.name])));
    }
    if (name === "systemPrompt") return this.#control(name, label, make("textarea", { rows: 4, maxLength: 4000 }));
    if (LINES.has(name)) return this.#control(name, label, make("input", { maxLength: LINES.get(name), autocomplete: "off" }));
    if (own?.values) return this.#control(name, label, this.#select(own.values.map((value) => [value, this.#text(`${name}.${value}`, {}, capital(value))])));
    if (own?.type === "boolean") {
      return this.#control(name, label, this.#select([["true", this.#text("yes")], ["false", this.#text("no")]]), (text) => text === "true", String);
    }
    if (own && "minimum" in own) return this.#control(name, label, make("input", { type: "number", step: "any", min: own.minimum, max: own.maximum }), Number, String);
    return own && this.#control(name, label, make("input", { maxLength: own.maxLength, autocomplete: "off" }));
  }

  #select(entries) {
    const options = [["", this.#text("any")], ...entries].map(([value, text]) => make("option", { value, textContent: text }));
    return make("select", {}, ...options);
  }

  #control(name, label, control, parse = (text) => text, print = (value) => value) {
    control.id = `field-${name}`;
    control.setAttribute("part", "input");
    const element = make("div", { part: "field" }, make("label", { for: control.id, class: "label", part: "label", textContent: label }), control);
    const read = () => {
      // A number that the browser can't read is sent as it is not: the gateway says what it wants.
      if (control.validity.badInput) return "";
      return control.value.trim() === "" ? null : parse(control.value.trim());
    };
    return this.#finished({ name, element, read, marked: control, focus: () => control.focus(), show: (value) => { control.value = value === null ? "" : print(value); } });
  }

  #cards(name, label, entries) {
    const faces = name === "avatarId";
    const radios = [];
    const card = (entry) => {
      const radio = make("input", { type: "radio", name, value: entry.id });
      radios.push(radio);
      const details = faces ? [entry.variantName] : [this.#gender(entry), this.#country(entry), entry.description];
      const detail = details.filter((text) => typeof text === "string" && text).join(", ");
      const text = make("span", { part: "name" }, entry.name, detail ? make("small", { textContent: detail }) : null);
      const sample = !faces && address(entry.previewSampleUrl, entry.sampleUrl);
      return make("div", { class: "card", part: "card" },
        make("label", {}, radio, faces ? this.#picture(entry) : null, text),
        sample ? this.#sample(entry.name, sample) : null);
    };
    const cards = [{ id: "", name: this.#text("any") }, ...entries].map(card);
    const legend = make("legend", { id: `legend-${name}`, part: "label", textContent: label });
    const element = make("fieldset", { role: "radiogroup", part: "field", "aria-labelledby": legend.id }, legend,
      make("div", { class: faces ? "cards faces" : "cards" }, ...cards));
    const chosen = () => radios.find((radio) => radio.checked);
    const show = (value) => { (radios.find((radio) => radio.value === value) ?? radios[0]).checked = true; };
    return this.#finished({ name, element, read: () => chosen()?.value || null, marked: element, focus: () => chosen().focus(), show });
  }

  #gender({ gender }) {
    return typeof gender === "string" ? this.#text(gender.toLowerCase(), {}, gender) : undefined;
  }

  #country({ country }) {
    try {
      return new Intl.DisplayNames([this.#language], { type: "region" }).of(country);
    } catch {
      return country;
    }
  }

  #picture({ id, name, portraitImageUrl, imageUrl, landscapeImageUrl }) {
    const letters = make("span", { class: "picture", part: "picture", "aria-hidden": "true", textContent: id ? initials(name) : "–" });
    const src = address(portraitImageUrl, imageUrl, landscapeImageUrl);
    if (!src) return letters;
    const image = make("img", { class: "picture", part: "picture", alt: "", loading: "lazy", referrerPolicy: "no-referrer", src });
    image.onerror = () => image.replaceWith(letters);
    return image;
  }

  #sample(name, src) {
    const button = make("button", { type: "button", part: "sample", textContent: "▶", "aria-pressed": "false" });
    button.setAttribute("aria-label", this.#text("listen", { name }));
    const rest = () => { button.textContent = "▶"; button.setAttribute("aria-pressed", "false"); };
    button.onclick = () => {
      const playing = button.getAttribute("aria-pressed") === "true";
      this.#audio?.pause();
      if (playing) return;
      this.#audio = new Audio(src);
      this.#audio.onpause = rest;
      this.#audio.play().catch(() => { rest(); if (this.isConnected) this.#say(this.#text("silent"), true); });
      button.textContent = "■";
      button.setAttribute("aria-pressed", "true");
    };
    return button;
  }

  // What all kinds of fields have: a value from before, and a place for what the gateway says against it.
  #finished(field) {
    const error = make("p", { class: "error", part: "error", id: `error-${field.name}`, lang: "en", hidden: true });
    field.element.append(error);
    field.write = (value) => { field.show(value ?? null); field.before = field.read(); };
    field.fail = (message) => {
      error.textContent = message ?? "";
      error.hidden = !message;
      field.marked.setAttribute("aria-invalid", String(Boolean(message)));
      field.marked.setAttribute("aria-describedby", error.id);
    };
    return field;
  }
}

customElements.get("persona-preferences") ?? customElements.define("persona-preferences", PersonaPreferences);

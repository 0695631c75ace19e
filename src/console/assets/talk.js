// A test call: a token from the gateway, and a conversation with it through Anam's own SDK.

const element = (id) => document.getElementById(id);
const form = element("talk");
const start = element("talk-start");
const texts = new Map([...document.querySelectorAll("[data-text]")].map((text) => [text.dataset.text, text.textContent]));
const text = (name, values = {}) => Object.entries(values).reduce((words, [key, value]) => words.replaceAll(`{${key}}`, value), texts.get(name) ?? name);

// What the SDK says, by the names of our texts.
const TROUBLES = {
  CLIENT_ERROR_CODE_MAX_CONCURRENT_SESSIONS_REACHED: "talk-error-concurrent",
  CLIENT_ERROR_CODE_SPEND_CAP_REACHED: "talk-error-spend",
  CLIENT_ERROR_CODE_USAGE_LIMIT_REACHED: "talk-error-usage",
  CLIENT_ERROR_CODE_NO_PLAN_FOUND: "talk-error-plan",
  CLIENT_ERROR_CODE_AUTHENTICATION_ERROR: "talk-error-token",
  CLIENT_ERROR_CODE_SERVICE_BUSY: "talk-error-busy",
  CONNECTION_CLOSED_CODE_MICROPHONE_PERMISSION_DENIED: "talk-microphone-denied",
  CONNECTION_CLOSED_CODE_SIGNALLING_CLIENT_CONNECTION_FAILURE: "talk-lost",
  CONNECTION_CLOSED_CODE_WEBRTC_FAILURE: "talk-lost",
  CONNECTION_CLOSED_CODE_SERVER_CLOSED_CONNECTION: "talk-closed",
};

let call; // the one under way: { client, minted, began }
let ticking;

const say = (words) => { element("talk-status").textContent = words; };

function fail(words, details) {
  say(text("talk-no-call"));
  trouble("bad", words, details);
}

function trouble(kind, words, details = []) {
  const line = (content, className) => Object.assign(document.createElement("p"), { textContent: content, className });
  const box = Object.assign(document.createElement("div"), { className: `notice ${kind}` });
  box.append(line(words, ""), ...details.map(({ words, lang }) => Object.assign(line(words, "small"), { lang })));
  element("talk-trouble").replaceChildren(box);
}

async function token() {
  const answer = await fetch(form.dataset.call, { method: "POST", body: new URLSearchParams(new FormData(form)) })
    .catch(() => { throw Object.assign(new Error(), { said: text("talk-unreachable") }); });
  if (answer.redirected) {
    location.assign("/console/sign-in?next=/console/talk");
    return new Promise(() => {});
  }
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  const lang = (english) => (english ? "en" : document.documentElement.lang);
  const faults = (told.errors ?? []).map(({ at, message, english }) => ({ at, words: message, lang: lang(english) }));
  throw Object.assign(new Error(), { said: told.refused ?? text("talk-unreachable"), faults });
}

async function sdk() {
  try {
    await import(form.dataset.script);
    if (!window.anam) throw new Error("window.anam is missing");
    return window.anam;
  } catch (error) {
    throw Object.assign(error, { said: text("talk-sdk-failed") });
  }
}

async function begin() {
  const listens = element("talk-microphone").checked;
  if (listens && !navigator.mediaDevices) { fail(text("talk-microphone-insecure")); return; }
  shown(true);
  element("talk-video").hidden = "standIn" in form.dataset;
  element("talk-trouble").replaceChildren();
  forget();
  unmark();
  say(text("talk-asking"));
  const mine = call = {};
  try {
    const { createClient, AnamEvent } = await sdk();
    if (call !== mine) return;
    // A token begins one conversation: it is asked for when somebody presses the button, and not before.
    const minted = mine.minted = await token();
    if (call !== mine) return;
    tell(minted);
    say(text("talk-connecting", { name: minted.name }));
    const client = mine.client = createClient(minted.token, {
      api: { baseUrl: form.dataset.anam },
      disableInputAudio: !listens,
    });
    const on = (event, does) => client.addListener(event, (...told) => { if (call === mine) does(...told); });
    on(AnamEvent.SESSION_READY, (session) => {
      if ("standIn" in form.dataset) mine.engine = engine(session);
      ready(minted);
    });
    on(AnamEvent.MIC_PERMISSION_PENDING, () => { if (!mine.began) say(text("talk-microphone-ask")); });
    on(AnamEvent.MIC_PERMISSION_GRANTED, () => {
      element("talk-mute").hidden = false;
      if (!mine.began) say(text("talk-connecting", { name: minted.name }));
    });
    // The conversation goes on: who can't be heard can write.
    on(AnamEvent.MIC_PERMISSION_DENIED, () => trouble("warn", text("talk-microphone-denied")));
    on(AnamEvent.DATA_CHANNEL_OPEN, () => { element("talk-write").hidden = false; });
    on(AnamEvent.MESSAGE_STREAM_EVENT_RECEIVED, (part) => heard(part, minted.name));
    on(AnamEvent.MESSAGE_HISTORY_UPDATED, (messages) => remember(messages, minted.name));
    on(AnamEvent.SERVER_WARNING, (warning) => say(text("talk-warning", { warning })));
    on(AnamEvent.CONNECTION_CLOSED, (code, details) => closed(code, details));
    await client.streamToVideoElement("talk-video");
  } catch (error) {
    if (call !== mine) return;
    end();
    explain(error);
  }
}

// The stand-in for Anam speaks through a page of its own, which need not be seen.
function engine(session) {
  const frame = Object.assign(document.createElement("iframe"), { src: `${form.dataset.anam}/_emulator/engine?session_id=${session}`, hidden: true });
  document.body.append(frame);
  return frame;
}

// Faults beside their fields; gives those that have none, with their places.
function mark(faults) {
  const left = [];
  for (const { at, words, lang } of faults) {
    const name = at.startsWith("/metadata/") ? `try.meta.${at.split("/")[2].replaceAll("~1", "/").replaceAll("~0", "~")}` : "";
    const field = form.elements[name];
    if (!(field instanceof Element)) { left.push({ words: `${at} ${words}`, lang }); continue; }
    const fault = Object.assign(document.createElement("p"), { className: "fault", textContent: words, lang, id: `${field.id}-fault` });
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", fault.id);
    field.after(fault);
    if (!form.querySelector(":focus[aria-invalid]")) field.focus();
  }
  return left;
}

function unmark() {
  for (const fault of form.querySelectorAll(".fault")) fault.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
}

function explain(error) {
  const known = error?.name === "NotAllowedError" ? "talk-microphone-denied" : TROUBLES[error?.code];
  const details = [error?.code, error?.message].filter(Boolean).join(" · ");
  // What the gateway said is for people already; what the SDK said is for whoever looks into it.
  if (error?.said) fail(error.said, mark(error.faults ?? []));
  else fail(text(known ?? "talk-error-other"), details ? [{ words: details, lang: "en" }] : []);
}

// Who answers, and why; the persona's first words are there before it says them.
function tell(minted) {
  element("talk-stage").hidden = false;
  element("talk-who").textContent = `${minted.name} (${minted.version})`;
  element("talk-why").textContent = minted.by;
  element("talk-notes").replaceChildren(...minted.notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
  element("talk-session").href = `/console/sessions/${encodeURIComponent(minted.session)}`;
}

function ready(minted) {
  say(text("talk-ready", { name: minted.name }));
  if (minted.greeting && !history.length && !speaking.size) {
    greeting = { content: minted.greeting };
    draw(minted.name);
  }
  call.began = Date.now();
  const limit = minted.limit ? ` / ${clock(minted.limit)}` : "";
  const tick = () => { element("talk-timer").textContent = clock((Date.now() - call.began) / 1000) + limit; };
  element("talk-timer").hidden = false;
  tick();
  ticking = setInterval(tick, 1000);
}

const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

// What was said, as the SDK tells it; what is being said, by the id of its message; and the greeting, which is shown before it is said.
let history = [];
const speaking = new Map();
let greeting;

function forget() {
  history = [];
  speaking.clear();
  greeting = undefined;
  for (const list of ["talk-transcript", "talk-speaking"]) element(list).replaceChildren();
}

// Some words of a message.
function heard({ id, role, content, endOfSpeech, interrupted }, persona) {
  // Whoever begins another has ended the one before.
  for (const [other, line] of speaking) if (line.role === role && other !== id) speaking.delete(other);
  const said = (speaking.get(id)?.content ?? "") + content;
  if (greeting && !greeting.id && role === "persona") greeting.id = id;
  if (greeting?.id === id && !greeting.content.startsWith(said.trim())) greeting = undefined;
  if (endOfSpeech) speaking.delete(id); // The history that follows has all of it.
  else {
    speaking.set(id, { id, role, content: said, interrupted });
    draw(persona);
  }
}

// Lines that are whole; they replace what was heard of them.
function remember(messages, persona) {
  history = messages.map((message) => ({ ...message }));
  if (greeting && history.some(({ id }) => id === greeting.id && !speaking.has(id))) greeting.isSaid = true;
  draw(persona);
}

// Nobody comes to the end of what they say.
function breakOff(persona) {
  const cut = [...speaking.values()].map((line) => ({ ...line, interrupted: true }));
  speaking.clear();
  history = history.map((message) => cut.find(({ id }) => id === message.id) ?? message);
  history.push(...cut.filter(({ id }) => history.every((message) => message.id !== id)));
  if (cut.some(({ id }) => id === greeting?.id)) greeting.isSaid = true;
  draw(persona);
}

// Whole lines are read out by screen readers, words that come one by one are not.
function draw(persona) {
  const whole = history.filter(({ id }) => !speaking.has(id));
  if (greeting && !greeting.isSaid) whole.unshift({ ...greeting, role: "persona" });
  lines(element("talk-transcript"), whole, persona);
  lines(element("talk-speaking"), [...speaking.values()].filter(({ id }) => id !== greeting?.id), persona);
  const last = element("talk-speaking").lastElementChild ?? element("talk-transcript").lastElementChild;
  last?.scrollIntoView({ block: "nearest" });
}

// Lines that are there already stay, so that only new ones are read out.
function lines(list, messages, persona) {
  messages.forEach(({ id, role, content, interrupted }, at) => {
    const key = greeting && id === greeting.id ? "greeting" : id;
    let line = list.children[at];
    if (line?.dataset.line !== key) {
      line = document.createElement("li");
      line.dataset.line = key;
      line.append(document.createElement("b"), " ", document.createElement("span"));
      list.insertBefore(line, list.children[at] ?? null);
    }
    line.className = role === "user" ? "user" : "persona";
    const said = { b: role === "user" ? text("talk-you") : persona, span: interrupted ? `${content.trimEnd()} …` : content };
    for (const [part, words] of Object.entries(said)) {
      if (line.querySelector(part).textContent !== words) line.querySelector(part).textContent = words;
    }
  });
  while (list.children.length > messages.length) list.lastElementChild.remove();
}

function closed(code, details) {
  const wasReady = Boolean(call?.began);
  end();
  if (code === "CONNECTION_CLOSED_CODE_NORMAL" || (code === "CONNECTION_CLOSED_CODE_SERVER_CLOSED_CONNECTION" && wasReady)) {
    say([text("talk-ended"), details].filter(Boolean).join(" "));
  } else explain({ code, message: details });
}

// Nothing is under way any more; what was said stays.
function end() {
  const ended = call;
  call = undefined;
  clearInterval(ticking);
  shown(false);
  element("talk-write").hidden = true;
  element("talk-video").hidden = true;
  if (ended?.minted) breakOff(ended.minted.name);
  ended?.client?.stopStreaming().catch(() => {});
  ended?.engine?.remove();
}

// The buttons that make sense now; the focus goes from one that vanishes to the one in its place.
function shown(talks) {
  const [stop, mute] = [element("talk-stop"), element("talk-mute")];
  const focused = [start, stop, mute].includes(document.activeElement);
  start.hidden = talks;
  stop.hidden = !talks;
  if (!talks) { mute.hidden = true; element("talk-timer").hidden = true; }
  muted(false);
  element("talk-microphone").disabled = talks;
  if (focused) (talks ? stop : start).focus();
}

function muted(silent) {
  const mute = element("talk-mute");
  mute.setAttribute("aria-pressed", String(silent));
  mute.textContent = text(silent ? "talk-unmute" : "talk-mute");
}

if (start) {
  start.addEventListener("click", begin);
  element("talk-stop").addEventListener("click", () => { end(); say(text("talk-hung-up")); });
  element("talk-mute").addEventListener("click", () => {
    const silent = element("talk-mute").getAttribute("aria-pressed") !== "true";
    if (silent) call?.client?.muteInputAudio(); else call?.client?.unmuteInputAudio();
    muted(silent);
  });
  element("talk-write").addEventListener("submit", (event) => {
    event.preventDefault();
    const message = element("talk-message");
    if (message.value.trim()) call?.client?.sendUserMessage(message.value.trim());
    message.value = "";
  });
  // A page that is left must not keep one of the few conversations that a plan has.
  addEventListener("pagehide", () => call?.client?.stopStreaming());
}

// A page of your product: a user signs in, asks the gateway for a session token with their own JWT, and talks to Anam with that token
// through Anam's SDK. Beside `dev` it works as it is. In your product, three things are yours:
//
// - settings.json: the gateway's address is fixed, and `anam` is left out, so that the SDK calls the real Anam;
// - signIn(): the JWT comes from your own sign-in;
// - anamSdk(): with a bundler it is `import { createClient, AnamEvent } from "@anam-ai/js-sdk"`.

const element = (id) => document.getElementById(id);
const settings = await fetch("settings.json").then((answer) => answer.json()).catch((error) => {
  element("missing").textContent = "settings.json is missing: docs/PAGE.md says where it comes from.";
  throw error;
});

let user; // one of settings.users
let jwt;
let contexts = [];
let client; // Anam's, while a conversation runs
let speaker; // the stand-in's page for it
let waiting = false; // for a place, while others have all of them

// ---- Signing in: what your product does already

async function signIn(who) {
  const answer = await fetch(`${settings.issuer}/token`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ sub: who.sub, claims: who.claims }),
  });
  if (!answer.ok) throw new Error(`The issuer answers ${answer.status}.`);
  return (await answer.json()).token;
}

// ---- The gateway: the JWT goes into the Authorization header; there is no cookie and no API key

async function ask(path, body, again = false) {
  const answer = await fetch(settings.gateway + path, {
    method: body ? "POST" : "GET",
    headers: { "Authorization": `Bearer ${jwt}`, ...(body && { "Content-Type": "application/json" }) },
    body: body && JSON.stringify(body),
  }).catch(() => {
    throw new Error(`The gateway can't be reached, or this page's origin, ${location.origin}, is not in the tenant's allowedOrigins.`);
  });
  // A JWT lives for an hour or so: ask for a fresh one, once.
  if (answer.status === 401 && !again) {
    jwt = await signIn(user);
    return ask(path, body, true);
  }
  const found = await answer.json();
  if (answer.ok) return found;
  // An application/problem+json: `code` is for programs, `errors` says which member is wrong.
  throw Object.assign(new Error(found.detail ?? found.title), {
    status: answer.status, code: found.code, errors: found.errors,
    position: found.position, estimate: found.estimatedWaitSeconds,
    retryAfter: answer.headers.get("Retry-After"), requestId: answer.headers.get("X-Request-Id"),
  });
}

// ---- Anam's SDK: `dev` fetches it from npm when the page is first opened

let loading;
function anamSdk() {
  loading ??= loadSdk().catch((error) => { loading = undefined; throw error; });
  return loading;
}

async function loadSdk() {
  const found = await (await fetch("sdk.json")).json();
  if (found.missing) throw Object.assign(new Error(found.missing), { code: "sdk_missing" });
  // The build for pages without a bundler sets `window.anam`.
  await import(`./${found.script}`);
  return window.anam;
}

// ---- A conversation

async function start() {
  element("start").disabled = true;
  explain();
  element("transcript").replaceChildren();
  element("asked").hidden = true;
  say("Asking for a session token …");
  try {
    // A token starts one conversation: ask for it when the user asks, not before.
    const minted = await tokenInTurn({ context: element("context").value, metadata: metadata() });
    if (settings.standIn) await showWhatWasAsked(minted);
    say(`Calling ${minted.persona.name} …`);
    const { createClient, AnamEvent } = await anamSdk();
    client = createClient(minted.sessionToken, {
      // Both are for the stand-in only: by itself the SDK calls the real Anam, and listens to the microphone.
      ...(settings.anam && { api: { baseUrl: settings.anam } }),
      disableInputAudio: settings.standIn || !element("microphone").checked,
    });
    client.addListener(AnamEvent.SESSION_READY, (session) => {
      say(`${minted.persona.name} is here.`);
      if (settings.standIn) speakFor(session);
    });
    client.addListener(AnamEvent.VIDEO_PLAY_STARTED, () => { element("picture").textContent = ""; });
    client.addListener(AnamEvent.DATA_CHANNEL_OPEN, () => { element("write").hidden = false; });
    client.addListener(AnamEvent.MESSAGE_HISTORY_UPDATED, (messages) => {
      const lines = messages.map(({ role, content }) => line(role, role === "user" ? user.claims.name : minted.persona.name, content));
      element("transcript").replaceChildren(...lines);
    });
    client.addListener(AnamEvent.CONNECTION_CLOSED, (code, details) => {
      if (!client) return;
      ended();
      if (code === "CONNECTION_CLOSED_CODE_NORMAL") say("The conversation has ended.");
      else fail(Object.assign(new Error(details ?? "The connection was closed."), { code }));
    });
    element("stop").disabled = false;
    await client.streamToVideoElement("persona");
  } catch (error) {
    await hangUp();
    fail(error);
  }
}

// Anam allows a handful of conversations at the same time. Whoever asks again when the gateway says keeps their turn.
async function tokenInTurn(body) {
  waiting = true;
  for (;;) {
    try {
      const minted = await ask("/v1/session-token", body);
      waiting = false;
      return minted;
    } catch (error) {
      if (error.code !== "places_taken" || !error.position) throw error;
      const estimate = error.estimate ? `, perhaps ${Math.ceil(error.estimate / 60)} min to wait` : "";
      say(`All places are taken. You are number ${error.position}${estimate} …`);
      element("stop").disabled = false;
      await new Promise((resolve) => setTimeout(resolve, error.retryAfter * 1000));
      if (!waiting) throw error;
    }
  }
}

async function hangUp() {
  waiting = false;
  const leaving = client;
  ended();
  await leaving?.stopStreaming();
}

function ended() {
  client = undefined;
  speaker?.remove();
  element("start").disabled = false;
  element("stop").disabled = true;
  element("write").hidden = true;
  element("picture").textContent = settings.standIn ? "The stand-in for Anam sends no picture." : "";
}

function line(role, name, text) {
  const item = document.createElement("li");
  item.className = role;
  const who = document.createElement("b");
  who.textContent = name;
  item.append(who, text);
  return item;
}

// The stand-in for Anam speaks through a page of its own, which need not be seen.
function speakFor(session) {
  speaker = Object.assign(document.createElement("iframe"), { src: `${settings.anam}/_emulator/engine?session_id=${session}`, hidden: true });
  document.body.append(speaker);
}

// It shows what it was asked for, too: the prompt, and the greeting that the persona begins with.
async function showWhatWasAsked(minted) {
  const calls = await (await fetch(`${settings.anam}/_emulator/requests`)).json();
  const persona = calls.find((call) => call.body?.clientLabel === minted.sessionId)?.body.personaConfig;
  if (!persona) return;
  const rows = Object.entries(persona).flatMap(([name, value]) => {
    const [term, told] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    told.textContent = typeof value === "string" ? value : JSON.stringify(value);
    return [term, told];
  });
  element("asked-list").replaceChildren(...rows);
  element("asked").hidden = false;
  if (persona.initialMessage) element("transcript").append(line("persona", minted.persona.name, persona.initialMessage));
}

// ---- What is shown

function say(text) {
  element("status").textContent = text;
}

function fail(error) {
  say("There is no conversation.");
  explain(error);
}

/** What a user can do about it, and, as a developer wants it, what the gateway or the SDK said. */
function explain(error) {
  for (const old of document.querySelectorAll("#metadata .wrong")) old.remove();
  for (const field of document.querySelectorAll("#metadata [aria-invalid]")) field.removeAttribute("aria-invalid");
  const lines = [];
  if (error) {
    console.error(error);
    lines.push(advice(error));
    const said = [error.status, error.code, error.message].filter(Boolean).join(" ");
    const faults = (error.errors ?? []).filter((fault) => !showBeside(fault)).map(({ pointer, message }) => `${pointer} ${message}`);
    lines.push([said, ...faults, error.requestId && `X-Request-Id ${error.requestId}`].filter(Boolean).join(" · "));
  }
  document.querySelector("#metadata [aria-invalid]")?.focus();
  element("trouble").replaceChildren(...lines.map((text) => Object.assign(document.createElement("p"), { textContent: text })));
}

function advice({ code, retryAfter }) {
  switch (code) {
    case "sdk_missing": return "You got a session token, but this page has no SDK to talk with.";
    case "unauthenticated": return "Please sign in again.";
    case "metadata_invalid": return "Please correct what is marked.";
    case "rate_limited":
    case "places_taken":
    case "upstream_concurrency":
    case "CLIENT_ERROR_CODE_MAX_CONCURRENT_SESSIONS_REACHED":
      return `Everybody is busy. Please try again in ${retryAfter ?? "a few"} seconds.`;
    case "CONNECTION_CLOSED_CODE_MICROPHONE_PERMISSION_DENIED": return "Allow the microphone for this page, or switch it off above.";
    default: return "This does not work right now. Please try again later.";
  }
}

function showBeside({ pointer, message }) {
  const field = pointer?.startsWith("/metadata/") && element(`metadata-${pointer.slice(10)}`);
  if (!field) return false;
  const wrong = Object.assign(document.createElement("p"), { className: "wrong", textContent: message, id: `${field.id}-wrong` });
  field.setAttribute("aria-describedby", wrong.id);
  field.setAttribute("aria-invalid", "true");
  field.after(wrong);
  return true;
}

// ---- Metadata: a field for each property of the context's schema. Your page knows its own; this one takes whatever the tenant wants.

function showMetadata() {
  const { metadata: schema } = contexts.find(({ key }) => key === element("context").value);
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const row = document.createElement("div");
    const label = Object.assign(document.createElement("label"), { htmlFor: `metadata-${name}`, textContent: property.title ?? name });
    if (!required.has(name)) label.append(" ", Object.assign(document.createElement("small"), { textContent: "(optional)" }));
    row.append(label, control(name, property));
    return row;
  });
  element("metadata").replaceChildren(...rows);
}

function control(name, property) {
  const options = property.enum ?? (property.type === "boolean" ? [true, false] : undefined);
  const tag = options ? "select" : property.maxLength > 200 ? "textarea" : "input";
  const made = Object.assign(document.createElement(tag), { id: `metadata-${name}`, name });
  for (const option of options ? ["", ...options] : []) made.append(new Option(String(option), option === "" ? "" : JSON.stringify(option)));
  if (tag === "input") made.autocomplete = "off";
  made.dataset.reads = options ? "json" : ["integer", "number"].includes(property.type) ? "number" : property.type === "string" ? "text" : "json";
  if (made.dataset.reads === "number") made.inputMode = "decimal";
  return made;
}

/** What stands in the fields. What is no number goes as it is, so that the gateway says what is wrong. */
function metadata() {
  const fields = [...element("metadata").querySelectorAll("[data-reads]")].filter((field) => field.value !== "");
  return Object.fromEntries(fields.map((field) => {
    if (field.dataset.reads === "text") return [field.name, field.value];
    try {
      return [field.name, JSON.parse(field.value)];
    } catch {
      return [field.name, field.value];
    }
  }));
}

// ---- What users do

async function signedIn(event) {
  event.preventDefault();
  if (client) await hangUp();
  try {
    user = settings.users[Number(new FormData(element("sign-in")).get("user"))];
    jwt = await signIn(user);
    contexts = (await ask("/v1/contexts")).contexts;
  } catch (error) {
    return fail(error);
  }
  explain();
  element("signed-in").textContent = `You are ${user.claims.name}.`;
  element("context").replaceChildren(...contexts.map(({ key, description }) => new Option(description ? `${key}: ${description}` : key, key)));
  if (contexts.some(({ key }) => key === "support")) element("context").value = "support";
  showMetadata();
  for (const hidden of ["talk", "stage", "choices"]) element(hidden).hidden = false;
  element("transcript").replaceChildren();
  element("asked").hidden = true;
  say("");
  // The picker asks for a token of its own, and for a fresh one when the gateway refuses it.
  element("preferences").token = async ({ refresh }) => (refresh ? (jwt = await signIn(user)) : jwt);
}

element("where").textContent = settings.standIn
  ? "This page runs beside a stand-in for Anam: it says the greeting and repeats what you write, but sends no picture and no sound. Start `dev` with ANAM_API_KEY for the real one."
  : `This page talks to Anam${settings.anam ? ` at ${settings.anam}` : ""}, through your microphone or in writing.`;
element("users").replaceChildren(...settings.users.map(({ claims, about }, index) => {
  const choice = Object.assign(document.createElement("input"), { type: "radio", name: "user", value: index, checked: index === 0 });
  const label = document.createElement("label");
  const text = document.createElement("span");
  text.append(claims.name, document.createElement("br"), Object.assign(document.createElement("small"), { textContent: about }));
  label.append(choice, text);
  return label;
}));
element("preferences").setAttribute("gateway", settings.gateway);
element("microphone-line").hidden = settings.standIn;
element("sign-in").addEventListener("submit", signedIn);
element("context").addEventListener("change", showMetadata);
element("talk").addEventListener("submit", (event) => { event.preventDefault(); start(); });
element("stop").addEventListener("click", async () => { await hangUp(); say("You hung up."); });
element("write").addEventListener("submit", (event) => {
  event.preventDefault();
  client?.sendUserMessage(element("message").value);
  element("message").value = "";
});
// A closed tab would keep its place at Anam until the silence rule ends the session.
window.addEventListener("pagehide", () => client?.stopStreaming());
ended();
// So that nobody waits for it later.
anamSdk().catch((error) => { element("missing").textContent = error.message; });

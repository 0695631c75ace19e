// Anam's engine, as far as words go: it answers the SDK's offer, says the persona's greeting, and repeats what the user writes.

const PACE = 90; // milliseconds from one word to the next

const socket = new WebSocket(`${location.origin.replace("http", "ws")}/_emulator/engine/ws${location.search}`);
const signal = (actionType, payload) => socket.send(JSON.stringify({ actionType, payload }));

let greeting = "";
let peer;
let channel;
let speech; // what the persona says now: { id }
let spoken = 0;

// One after the other: a candidate is of use only after its offer.
let heard = Promise.resolve();
socket.addEventListener("message", ({ data }) => {
  heard = heard.then(() => hear(JSON.parse(data))).catch(console.error);
});

async function hear({ actionType, payload }) {
  switch (actionType) {
    case "persona":
      greeting = payload.skipGreeting ? "" : payload.initialMessage ?? "";
      return;
    case "offer":
      await answer(payload.connectionDescription);
      return;
    case "icecandidate":
      await peer?.addIceCandidate(payload);
      return;
    case "talk":
      await speak(payload);
  }
}

async function answer(offer) {
  peer?.close();
  peer = new RTCPeerConnection();
  peer.addEventListener("icecandidate", ({ candidate }) => { if (candidate) signal("icecandidate", candidate.toJSON()); });
  peer.addEventListener("datachannel", (event) => {
    channel = event.channel;
    channel.addEventListener("open", () => speak(greeting));
    channel.addEventListener("message", ({ data }) => written(JSON.parse(data)));
  });
  await peer.setRemoteDescription(offer);
  await peer.setLocalDescription();
  signal("answer", { type: peer.localDescription.type, sdp: peer.localDescription.sdp });
}

// What the client sends over the data channel.
function written({ message_type: type, content }) {
  if (type === "interrupt") breakOff();
  if (type === "speech") {
    breakOff();
    say(next(), "user", content, true);
    speak(content);
  }
}

// Word by word, until somebody interrupts.
async function speak(text) {
  breakOff();
  const mine = speech = { id: next() };
  const words = text.match(/\S+\s*/g) ?? [];
  for (const [at, word] of words.entries()) {
    say(mine.id, "persona", word, at === words.length - 1);
    await new Promise((resolve) => setTimeout(resolve, PACE));
    if (speech !== mine) return;
  }
  speech = undefined;
}

function breakOff() {
  if (speech) say(speech.id, "persona", "", true, true);
  speech = undefined;
}

const next = () => String(++spoken);

function say(id, role, content, isLast, interrupted = false) {
  if (channel?.readyState !== "open") return;
  const data = { message_id: id, content_index: 0, content, role, end_of_speech: isLast, interrupted };
  channel.send(JSON.stringify({ messageType: "speechText", data }));
}
